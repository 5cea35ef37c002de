"""Versions of resources as entity tags: what was read is changed only where nobody changed it meanwhile."""

import re
from collections.abc import Collection
from typing import Annotated

from fastapi import Header

from services.platform.http.problems import Problem, invalid

IfMatch = Annotated[str | None, Header(description="The ETag of the version to be changed.")]

_TAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')


def etag(version: int) -> str:
    """Give the entity tag of a version."""
    return f'"{version}"'


def accepted_versions(if_match: str | None) -> frozenset[int] | None:
    """Read an If-Match header: the versions that may be changed, None for whichever there is."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [_TAG.fullmatch(tag.strip()) for tag in if_match.split(",")]
    found = [int(tag[1]) for tag in tags if tag is not None]
    if len(found) < len(tags):
        raise invalid("header:/If-Match", "invalid_etag", f"is {if_match[:80]!r}", 'send the ETag as it was, like "3"')
    return frozenset(found)


def require_version(what: str, current: int, *, accepted: Collection[int] | None) -> None:
    """Raise a 412 where the version that there is is none of those that the caller accepts to change."""
    if accepted is not None and current not in accepted:
        raise Problem(
            412,
            "version_mismatch",
            f"the {what} is at version {current}; read it again and send its ETag as If-Match",
            headers={"ETag": etag(current)},
            extra={"version": current},
        )
