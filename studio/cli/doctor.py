"""The command that checks what the others need: doctor."""

from collections.abc import AsyncIterator

from studio import problems
from studio.cli.exits import FAILED, OK
from studio.cli.options import HERE, Api

Check = tuple[str, str | None]
"""What was checked, and what to do where it is not so."""


async def doctor(*, api: Api = HERE) -> int:
    """Check what commands need, and say what to do where it is missing; status 1 where anything is."""
    status = OK
    async for what, remedy in _checks(api):
        print(f"{'✓' if remedy is None else '✗'} {what}{'' if remedy is None else f': {remedy}'}")
        status = status if remedy is None else FAILED
    return status


async def _checks(api: Api) -> AsyncIterator[Check]:
    url, key = api.address()
    yield "the API's address is known", None if url else "set PROMOTION_URL, such as http://127.0.0.1:8080"
    yield "there is an API key", None if key else "set PROMOTION_API_KEY, or run promotion login"
    if not url or not key:
        return
    async with api.client() as client:
        try:
            await client.readiness()
        except problems.ApiError as error:
            yield f"the API at {url} is ready", f"it is up but says: {error}; {error.problem.get('trouble', '')}"
        except problems.Unreachable as error:
            yield f"the API at {url} answers", f"{error}; is it running, and is the address right?"
            return
        else:
            yield f"the API at {url} is ready", None
        try:
            gateways = await client.list_gateways()
        except problems.Unauthenticated:
            yield "the API key is valid", "it is unknown, expired or revoked; promotion token create makes another"
            return
        except problems.ApiError as error:
            yield "the API key may read", str(error)
            return
        yield "the API key is valid", None
        yield "gateways are registered", None if gateways else "register one: PUT /api/v1/gateways/{id}"
