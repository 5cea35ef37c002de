"""What is presented as a key is looked at before anybody is asked about it."""

from typing import Any

import pytest

from services.platform.clock import utc_now
from services.platform.identity import KeyRing


class NoDatabase:
    def begin(self, **_given: Any) -> Any:
        raise AssertionError("PostgreSQL is asked")


@pytest.mark.parametrize("key", ["pk_\x00_secret", "pk_a\nb_secret", "pk_ü_secret", "pk_only", "sk_a_b", ""])
async def test_what_cannot_be_a_key_is_asked_of_nobody(key: str) -> None:
    ring = KeyRing(NoDatabase(), "p" * 32, utc_now)  # type: ignore[arg-type]

    assert await ring.verify(key) is None
