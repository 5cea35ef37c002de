"""Carries a fault out: when the honest act happens, and what is said about it. Decides nothing itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import assert_never

from studio.gateway import faults
from studio.gateway.faults import Fault
from studio.gateway.messages import Answer, Delivery

_SILENCE = Answer(status=200, delivery="silence")
_RESET = Answer(status=200, delivery="reset")
_GARBAGE = b'\xff\xfe{"deployment_id": \x00 not json'


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request on its way: `act` does what it asks and gives the honest answer."""

    act: Callable[[], Answer]
    forget: Callable[[], None]
    durable: Callable[[], Awaitable[None]]
    act_later: Callable[[float], None]


async def answer_with(fault: Fault, call: Call) -> Answer:
    """The answer that the fault makes of a call. The caller waits for the log before it is sent."""
    match fault:
        case faults.Slow():
            return await _slowly(fault, call)
        case faults.Hang():
            return _instead(_SILENCE, fault.when, call)
        case faults.Reset():
            return _instead(_RESET, fault.when, call)
        case faults.Status():
            return _instead(_error(fault), fault.when, call)
        case faults.SuccessThenTimeout():
            return _instead(_SILENCE, "after_effect", call)
        case faults.ErrorThenSuccess():
            return _error(fault)
        case faults.LateSuccess():
            call.act_later(fault.delay_ms / 1000)
            return _error(fault)
        case faults.Redirect():
            return Answer(status=fault.status, headers=(("location", fault.location),))
        case faults.Forget():
            call.forget()
            return call.act()
        case faults.DuplicateAnswer():
            return _delivered(call.act(), "twice")
        case faults.Cut():
            return _delivered(call.act(), "cut")
        case faults.WrongId() | faults.Garbage() | faults.HugeBody():
            return _disguised(fault, call.act())
    assert_never(fault)


async def _slowly(fault: faults.Slow, call: Call) -> Answer:
    if fault.when == "before_effect":
        await asyncio.sleep(fault.delay_ms / 1000)
        return call.act()
    answer = call.act()
    await call.durable()
    await asyncio.sleep(fault.delay_ms / 1000)
    return answer


def _instead(answer: Answer, when: faults.When, call: Call) -> Answer:
    if when == "after_effect":
        call.act()
    return answer


def _delivered(answer: Answer, delivery: Delivery) -> Answer:
    return replace(answer, delivery=delivery)


def _disguised(fault: faults.WrongId | faults.Garbage | faults.HugeBody, honest: Answer) -> Answer:
    match fault:
        case faults.Garbage():
            return replace(honest, status=_with_body(honest.status), body=_GARBAGE)
        case faults.WrongId():
            shown = json.loads(honest.body or b"{}")
            if "deployment_id" in shown:
                shown["deployment_id"] = f"not-{shown['deployment_id']}"
            return replace(honest, body=json.dumps(shown).encode() if honest.body else b"")
        case faults.HugeBody():
            body = honest.body or b"{}"
            return replace(honest, status=_with_body(honest.status), body=body.ljust(fault.size_bytes))


def _with_body(status: int) -> int:
    return 200 if status == 204 else status


def _error(fault: faults.Status | faults.ErrorThenSuccess | faults.LateSuccess) -> Answer:
    headers: tuple[tuple[str, str], ...] = ()
    if fault.retry_after_seconds is not None:
        headers = (("retry-after", str(fault.retry_after_seconds)),)
    body = {
        "type": "urn:problem:gateway:scripted_fault",
        "title": "A scripted fault",
        "status": fault.status,
        "code": "scripted_fault",
        "detail": f"The fault script asks for {fault.status} here.",
        "errors": [],
    }
    return Answer(
        status=fault.status,
        body=json.dumps(body).encode(),
        content_type="application/problem+json",
        headers=headers,
    )
