"""The names of the migrations say what alembic says, without alembic."""

import subprocess
import sys

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from services.platform.schema_state import SERVICES, head_of, schemas


@pytest.mark.parametrize("schema", schemas())
def test_the_last_file_is_the_last_revision(schema: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SERVICES / "platform" / "alembic"))
    config.set_main_option("version_locations", str(SERVICES / schema / "migrations"))
    config.set_main_option("path_separator", "newline")

    assert head_of(schema) == ScriptDirectory.from_config(config).get_current_head()


@pytest.mark.parametrize("service", ["promotion", "rules", "executor", "inventory", "notifications"])
def test_a_service_does_not_carry_what_migrates(service: str) -> None:
    look = f"import sys, services.{service}.app; print([name for name in sys.modules if name.startswith('alembic')])"

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"
