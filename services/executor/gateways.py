"""The one place that speaks HTTP to gateways: one call, one answer or the reason why there is none.

It follows no redirect, uses no proxy and keeps no cookie; a credential goes to its own gateway's address alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from schemas.traces import read_traceparent
from services.executor import tracing as spans
from services.executor.domain.answers import Answer, Call, NoAnswer, without_credential
from services.executor.domain.execution import Order
from services.executor.store.gateways import Gateway
from services.platform import tracing
from services.platform.clock import utc_now
from services.platform.outward import Network, check_url
from services.platform.outward_calls import PLAIN_ANSWERS, AddressGuard, WrongAnswer, open_session, read_answer
from services.platform.vault import NotOpened, Place, Vault

MAX_ANSWER_BYTES = 1024 * 1024
_MOST_SAID = 300


class GatewayClient:
    """Calls gateways; ``timeout_seconds`` bounds each call whole.

    It connects to public addresses and to those in ``allowed``, and opens credentials with ``vault``.
    """

    def __init__(self, *, timeout_seconds: float, vault: Vault, allowed: Sequence[Network] = ()) -> None:
        self._timeout_seconds = timeout_seconds
        self._vault = vault
        self._allowed = tuple(allowed)
        self._guard = AddressGuard(self._allowed)
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def ask(self, call: Call, order: Order, gateway: Gateway, *, fencing_token: int) -> Answer | NoAnswer:
        """Make one call about ``order``; whatever goes wrong is a NoAnswer."""
        if gateway.url is None:
            return NoAnswer(f"the gateway {gateway.gateway_id} is not registered; register it", sent=False)
        try:
            url = _deployments_at(gateway.url, self._allowed) / order.key
            credential = self._credential(gateway, gateway.url)
        except ValueError as error:
            return NoAnswer(f"the gateway's URL cannot be used: it {error}"[:_MOST_SAID], sent=False)
        except NotOpened as error:
            return NoAnswer(str(error), sent=False)
        headers = _headers(call, order, credential, fencing_token=fencing_token)
        if not tracing.is_on():
            return _knowing(credential, await self._ask(call, order, url, headers))
        began_at, place = utc_now(), spans.place_of_call(order)
        answer = _knowing(credential, await self._ask(call, order, url, {**headers, "traceparent": str(place)}))
        spans.emit_call(call, order, place, answer, url=str(url), began_at=began_at)
        return answer

    async def _ask(self, call: Call, order: Order, url: URL, headers: dict[str, str]) -> Answer | NoAnswer:
        body = order.body() if call is Call.PUT else None
        if call is Call.FENCE:
            return await self._exchange(call, url, headers, body, keep=False)
        answer = await self._exchange(call, url, headers, body, keep=True)
        if not _is_final_no(call, answer):
            return answer
        sure = await self._exchange(call, url, headers, body, keep=False)
        return NoAnswer(sure.reason, sent=True) if isinstance(sure, NoAnswer) else sure

    async def _exchange(
        self, call: Call, url: URL, headers: dict[str, str], body: bytes | None, *, keep: bool
    ) -> Answer | NoAnswer:
        try:
            async with self._session(keep=keep).request(
                call.value, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return NoAnswer(f"no connection: {_reason(error)}", sent=False)
        except TimeoutError:
            return NoAnswer(f"no answer within {self._timeout_seconds:g} s", sent=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NoAnswer(f"no whole answer: {_reason(error)}", sent=True)

    def _credential(self, gateway: Gateway, url: str) -> str | None:
        if gateway.credential is None:
            return None
        return self._vault.open(gateway.credential, Place(gateway.organization_id, gateway.gateway_id, url))

    async def close(self) -> None:
        """Drop every connection."""
        sessions, self._kept, self._fresh = (self._kept, self._fresh), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _session(self, *, keep: bool) -> aiohttp.ClientSession:
        if keep:
            self._kept = self._kept or self._new_session(keep=True)
            return self._kept
        self._fresh = self._fresh or self._new_session(keep=False)
        return self._fresh

    def _new_session(self, *, keep: bool) -> aiohttp.ClientSession:
        return open_session(self._guard, timeout_seconds=self._timeout_seconds, keep=keep)


# Asked of each call, and the same for all calls to one gateway; what is refused is not kept.
@lru_cache(maxsize=1_000)
def _deployments_at(url: str, allowed: tuple[Network, ...]) -> URL:
    check_url(url, allowed)
    return URL(url.rstrip("/")) / "deployments"


def _knowing(credential: str | None, answer: Answer | NoAnswer) -> Answer | NoAnswer:
    if isinstance(answer, NoAnswer):
        # What cannot be read as HTTP is part of the error's message.
        return replace(answer, reason=without_credential(answer.reason, credential)[:_MOST_SAID])
    return replace(answer, credential=credential)


def _is_final_no(call: Call, answer: Answer | NoAnswer) -> bool:
    # A success names its key; a no does not. On a kept connection it may be the late second copy of the answer to
    # another key, so what would end an execution is heard again on a connection of its own, as every fence is.
    if isinstance(answer, NoAnswer) or answer.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        return False
    nothing_there = call is Call.LOOK_UP and answer.status == HTTPStatus.NOT_FOUND
    return 400 <= answer.status < 500 and not nothing_there


def _headers(call: Call, order: Order, credential: str | None, *, fencing_token: int) -> dict[str, str]:
    headers = {"Accept": "application/json, application/problem+json", **PLAIN_ANSWERS}
    if call is not Call.LOOK_UP:
        headers["Fencing-Token"] = str(fencing_token)
    if call is Call.PUT:
        headers["Content-Type"] = "application/json"
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    if order.traceparent is not None and read_traceparent(order.traceparent) is not None:
        headers["traceparent"] = order.traceparent
    return headers


async def _read(response: aiohttp.ClientResponse) -> Answer | NoAnswer:
    try:
        body = await read_answer(response, most_bytes=MAX_ANSWER_BYTES)
    except WrongAnswer as error:
        return NoAnswer(str(error), sent=True)
    return Answer(response.status, response.content_type, response.headers.get("Retry-After"), body)


def _reason(error: BaseException) -> str:
    # The message may hold the address, which is the operator's own, and what came that is no HTTP.
    return f"{type(error).__name__} {error}"
