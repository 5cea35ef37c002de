"""Answers requests from the state, and journals every request, effect and fault before it answers.

A decision and its effects happen without an await between them, so no two requests ever see half of one.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import assert_never

from pydantic import ValidationError

from studio.gateway import commands, contract, lies
from studio.gateway.commands import Delete, Get, KeyCommand, ListPage, Put
from studio.gateway.faults import Director, Script
from studio.gateway.journal import Journal, LogFailedError
from studio.gateway.messages import Answer, Request, problem, resource
from studio.gateway.records import EffectApplied, FaultApplied, RequestReceived
from studio.gateway.state import (
    Deployment,
    Effect,
    GatewayState,
    apply,
    decide_delete,
    decide_forget,
    decide_put,
)


class Host:
    """One gateway: its state, its journal, its faults."""

    def __init__(
        self,
        *,
        health: contract.Health,
        journal: Journal,
        state: GatewayState,
        last_request: int,
        credential: str | None,
        script: Script,
        allow_faults: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._health = health
        self._journal = journal
        self._state = state
        self._last_request = last_request
        self._authorization = f"Bearer {credential}".encode() if credential else None
        self._director = Director(script)
        self._allow_faults = allow_faults
        self._now = now
        self._late: set[asyncio.Task[None]] = set()

    async def answer(self, request: Request) -> Answer:
        """The answer to any request at all."""
        if request.segments == ("healthz",):
            return self._answer_health(request)
        refusal = self._refuse_stranger(request)
        if request.segments == ("faults",):
            return refusal or self._answer_faults(request)
        if request.segments[:1] != ("deployments",):
            return refusal or commands.unknown_path(request)
        number = self._record(request)
        answer = refusal or await self._answer_deployments(request, number)
        await self._journal.flushed()
        return answer

    async def close(self) -> None:
        """Give up what was going to happen late."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    # Deployments

    async def _answer_deployments(self, request: Request, number: int) -> Answer:
        command = commands.read_command(
            request, gateway_id=self._health.gateway_id, environment=self._health.environment
        )
        if isinstance(command, Answer):
            return command
        if isinstance(command, ListPage):
            return self._list(command)
        chosen = self._director.choose(method=request.method, key=command.key, agent_id=self._agent_of(command))
        if chosen is None:
            return self._act(command, number)
        rule, fault = chosen
        self._journal.append(FaultApplied(request=number, rule=rule, fault=fault.fault, at=self._now()))
        return await lies.answer_with(fault, self._call(command, number))

    def _act(self, command: KeyCommand, number: int) -> Answer:
        """Decide and take effect at once; the answer may leave only when the journal is flushed."""
        match command:
            case Put():
                return self._put(command, number)
            case Get():
                return self._show(command.key, status=200)
            case Delete():
                outcome, effects = decide_delete(self._state, command.key, token=command.token, at=self._now())
                self._take_effect(effects, number)
                return Answer(status=204) if outcome == "fenced" else self._stale(command.key, command.token)
        assert_never(command)

    def _put(self, command: Put, number: int) -> Answer:
        key = command.key
        outcome, effects = decide_put(self._state, key, command.content, token=command.token, at=self._now())
        self._take_effect(effects, number)
        match outcome:
            case "created":
                return self._show(key, status=201)
            case "unchanged" | "fenced":
                return self._show(key, status=200)
            case "stale_fencing_token":
                return self._stale(key, command.token)
            case "content_mismatch":
                return _mismatch(self._state.deployments[key], command)
        assert_never(outcome)

    def _show(self, key: str, *, status: int) -> Answer:
        if key in self._state.fenced:
            return problem(contract.FENCED, f"{key} was fenced by a DELETE. Promote again under another id.")
        deployment = self._state.deployments.get(key)
        if deployment is None:
            return problem(contract.UNKNOWN_KEY, f"{key} is not on this gateway. PUT creates it.")
        return resource(status, contract.DeploymentResource.of(deployment))

    def _stale(self, key: str, token: int | None) -> Answer:
        seen = self._state.tokens[key]
        detail = f"Token {token} of {key} is below {seen}, which was seen before. Somebody else took over: stop."
        return problem(contract.STALE_FENCING_TOKEN, detail)

    def _list(self, page: ListPage) -> Answer:
        found = (
            deployment
            for deployment in _after(page.cursor, self._state.deployments.values())
            if page.organization_id in (None, deployment.content.organization_id)
            and page.agent_id in (None, deployment.content.agent_id)
            and page.status in (None, deployment.status)
        )
        items = [contract.DeploymentResource.of(deployment) for deployment in islice(found, page.limit)]
        more = next(found, None) is not None
        next_cursor = items[-1].deployment_id if more else None
        return resource(200, contract.DeploymentList.model_construct(items=items, next_cursor=next_cursor))

    # The journal

    def _record(self, request: Request) -> int:
        self._last_request += 1
        self._journal.append(
            RequestReceived(
                request=self._last_request,
                method=request.method,
                path=request.path[:500],
                key=commands.request_key(request),
                body_sha256=hashlib.sha256(request.body).hexdigest(),
                fencing_token=commands.logged_token(request),
                traceparent=commands.logged_traceparent(request),
                at=self._now(),
            )
        )
        return self._last_request

    def _take_effect(self, effects: Iterable[Effect], number: int) -> None:
        for effect in effects:
            apply(self._state, effect)
            self._journal.append(EffectApplied(request=number, effect=effect))

    # Faults

    def _call(self, command: KeyCommand, number: int) -> lies.Call:
        return lies.Call(
            act=lambda: self._act(command, number),
            forget=lambda: self._take_effect(decide_forget(self._state, command.key, at=self._now()), number),
            durable=self._journal.flushed,
            act_later=lambda delay_seconds: self._act_later(command, number, delay_seconds),
        )

    def _act_later(self, command: KeyCommand, number: int, delay_seconds: float) -> None:
        async def act() -> None:
            await asyncio.sleep(delay_seconds)
            self._act(command, number)
            try:
                await self._journal.flushed()
            except LogFailedError:
                return  # the journal has already told the server to stop

        task = asyncio.create_task(act())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _agent_of(self, command: KeyCommand) -> str | None:
        if isinstance(command, Put):
            return command.content.agent_id
        deployment = self._state.deployments.get(command.key)
        return deployment.content.agent_id if deployment else None

    def _answer_faults(self, request: Request) -> Answer:
        if not self._allow_faults:
            return problem(contract.FAULTS_NOT_ALLOWED, "Start the gateway with --allow-faults to script faults here.")
        match request.method:
            case "PUT":
                return self._put_faults(request)
            case "DELETE":
                self._director = Director(Script())
                return Answer(status=204)
            case "GET":
                return self._show_faults()
        return commands.method_not_allowed(request, "GET, PUT, DELETE")

    def _put_faults(self, request: Request) -> Answer:
        refusal = commands.json_body_refusal(request)
        if refusal is not None:
            return refusal
        try:
            self._director = Director(Script.model_validate_json(request.body))
        except ValidationError as error:
            return commands.malformed_body(error)
        return self._show_faults()

    def _show_faults(self) -> Answer:
        script = self._director.script
        applied = [self._director.applied[index] for index in range(len(script.rules))]
        return Answer(status=200, body=json.dumps({**script.model_dump(mode="json"), "applied": applied}).encode())

    # Who asks, and how it is

    def _refuse_stranger(self, request: Request) -> Answer | None:
        given = request.headers.get("authorization", "").encode("latin-1")
        if self._authorization is None or hmac.compare_digest(given, self._authorization):
            return None
        detail = "The Authorization header is missing or names another credential. Send 'Bearer <credential>'."
        return problem(contract.UNAUTHENTICATED, detail, headers=(("www-authenticate", "Bearer"),))

    def _answer_health(self, request: Request) -> Answer:
        if request.method != "GET":
            return commands.method_not_allowed(request, "GET")
        return resource(200, self._health)


def _mismatch(existing: Deployment, command: Put) -> Answer:
    differing = [
        name
        for name in contract.DeploymentRequest.model_fields
        if getattr(existing.content, name) != getattr(command.content, name)
    ]
    errors = [
        {
            "path": name,
            "message": f"{getattr(command.content, name)!r} is not {getattr(existing.content, name)!r}",
        }
        for name in differing
    ]
    detail = f"{command.key} differs in {', '.join(differing)}. A key means one content: use another key."
    return problem(contract.CONTENT_MISMATCH, detail, errors=errors)


def _after(cursor: str | None, deployments: Iterable[Deployment]) -> Iterable[Deployment]:
    """What follows the cursor's deployment; nothing, where that one is gone."""
    if cursor is None:
        return deployments
    remaining = iter(deployments)
    for deployment in remaining:
        if deployment.deployment_id == cursor:
            break
    return remaining
