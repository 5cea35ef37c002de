"""The page about operations names every setting, and its default."""

import re
from pathlib import Path

import pytest

from schemas.topics import DEFAULT_PARTITIONS
from services.platform.settings import CLIENT_VARIABLES, Settings

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
FIELDS = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def test_every_setting_is_on_the_page_and_nothing_else() -> None:
    assert set(ROWS) == set(FIELDS)
    assert all(f"`{name}`" in PAGE.read_text(encoding="utf-8") for name in CLIENT_VARIABLES)


@pytest.mark.parametrize(
    "name", sorted(name for name, field in FIELDS.items() if isinstance(field.default, (str, int, float)))
)
def test_a_default_on_the_page_is_the_default(name: str) -> None:
    default = FIELDS[name].default

    # An empty address means that the file names it.
    assert ROWS[name] in {f"`{default}`", "this or the next" if default == "" else "", "none" if default == "" else ""}


def test_the_defaults_that_depend_on_the_broker_are_those_of_the_page() -> None:
    common = {"DATABASE_URL": "postgresql://x", "KAFKA_BOOTSTRAP_SERVERS": "x", "PROMOTION_KEY_PEPPER": "p" * 16}
    apache = Settings.model_validate(common)
    embedded = Settings.model_validate(common | {"PROMOTION_KAFKA_FLAVOUR": "embedded"})

    assert ROWS["PROMOTION_MAX_OUTBOX_ROWS"] == f"{apache.outbox_limit():,}; embedded {embedded.outbox_limit():,}"
    assert ROWS["PROMOTION_MAX_LAG"] == f"{apache.lag_limit():,}; embedded {embedded.lag_limit():,}"
    assert ROWS["PROMOTION_KAFKA_PARTITIONS"] == f"`{DEFAULT_PARTITIONS}`"
