"""What a service's process does not load: its memory is for the most part code."""

import subprocess
import sys

import pytest

# Each by itself five to ten megabytes.
HEAVY = ("aiohttp", "alembic", "cryptography", "fastapi")


@pytest.mark.parametrize("service", ["promotion", "rules"])
def test_a_service_that_calls_nobody_carries_no_http_and_no_ciphers(service: str) -> None:
    look = (
        f"import sys, services.platform.process, services.{service}.app; "
        f"print(sorted(sys.modules.keys() & set({HEAVY})))"
    )

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"
