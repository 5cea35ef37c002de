"""What a form of the console sends: URL-encoded fields, bounded; nothing else is read."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from fastapi import Request

from services.platform.http.problems import Problem

MAX_FORM_BYTES = 65_536
MAX_FIELDS = 300
MEDIA_TYPE = "application/x-www-form-urlencoded"

Fields = Mapping[str, Sequence[str]]


class Form:
    """The fields of one form, in the order in which they were sent."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Give a field without the white space around it and with plain line ends; empty where it is not there."""
        values = self._fields.get(name)
        return values[0].strip().replace("\r\n", "\n") if values else ""

    def all(self, name: str) -> list[str]:
        """Give every value of a field that may be there more than once."""
        return list(self._fields.get(name, ()))

    def checked(self, name: str) -> bool:
        """Tell whether a box is checked."""
        return name in self._fields


def parse_form(body: bytes) -> Form:
    """Read URL-encoded fields; raises ValueError for what is not UTF-8 or too much."""
    fields = parse_qs(
        body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, separator="&"
    )
    return Form(fields)


async def read_form(request: Request) -> Form:
    """Read the form of a request; raises a Problem that says why it cannot be read."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != MEDIA_TYPE:
        raise Problem(415, "unsupported_media_type", f"the form is {sent[:80]!r}; send it as {MEDIA_TYPE}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise Problem(413, "body_too_large", f"the form is larger than {MAX_FORM_BYTES} bytes; send less at once")
    try:
        return parse_form(bytes(body))
    except ValueError as error:
        raise Problem(400, "invalid_form", f"the form cannot be read: {error}") from None
