"""A browser for tests: Debian's Chromium, driven by Playwright; and axe, fetched by npm for these tests alone."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

EXECUTABLE = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE_VERSION = "4.11"


def required() -> bool:
    """Tell whether a missing browser is a failure."""
    return os.environ.get("REQUIRE_BROWSER") == "1"


def unavailable(reason: str) -> NoReturn:
    """Skip the test with the reason, or fail it where a browser is required."""
    if required():
        pytest.fail(f"REQUIRE_BROWSER=1, but: {reason}", pytrace=False)
    pytest.skip(reason)


def axe_source(folder: Path) -> str:
    """Give axe's script, from ``folder`` or through npm."""
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            unavailable("axe-core comes through npm, and there is no npm")
        command = [
            npm,
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            f"axe-core@{AXE_VERSION}",
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if not script.exists():
            unavailable(f"npm did not install axe-core: {done.stderr.strip()[-300:]}")
    return script.read_text("utf-8")
