"""HTTP requests and answers as values, and how an answer looks on the wire. Knows no gateway, no socket."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel

from studio.gateway.contract import ProblemKind

Delivery = Literal["whole", "twice", "cut", "reset", "silence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, read whole. Header names are in lower case; `segments` are decoded."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back, and how: a fault may cut it, send it twice, or send nothing."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=())
    delivery: Delivery = "whole"


def resource(status: int, model: BaseModel, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer that shows a resource."""
    return Answer(status=status, body=model.__pydantic_serializer__.to_json(model), headers=headers)


def problem(
    kind: ProblemKind,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """A refusal as problem+json."""
    body = {
        "type": f"urn:problem:gateway:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": detail,
        "errors": errors or [],
    }
    return Answer(
        status=kind.status,
        body=json.dumps(body).encode(),
        content_type="application/problem+json",
        headers=headers,
    )


def encode(answer: Answer, *, keep_alive: bool, with_body: bool = True) -> bytes:
    """The answer's bytes. A 204 carries neither body nor length."""
    head = _status_line(answer.status)
    if answer.status != HTTPStatus.NO_CONTENT:
        head += f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n"
    for name, value in answer.headers:
        head += f"{name}: {value}\r\n"
    if not keep_alive:
        head += "connection: close\r\n"
    return f"{head}\r\n".encode("latin-1") + (answer.body if with_body else b"")


@lru_cache
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n"
