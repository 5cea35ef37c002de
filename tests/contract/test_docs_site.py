"""The documentation is a site that builds without a warning, leads nowhere that is not there, and loads nothing."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# What a page loads, as against what it links to.
LOADED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]+)"|<link\b[^>]*\bhref="([^"]+)"')
ANCHORED = re.compile(r'<a\b[^>]*\bhref="([^":]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: make docs-site installs it and builds the site")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [Path(sys.executable).with_name("mkdocs"), "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pages(site: Path) -> list[Path]:
    return sorted(page for page in site.rglob("*.html") if page.name != "404.html")


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = {one or other for page in pages(site) for one, other in LOADED.findall(page.read_text("utf-8"))}

    assert [address for address in loaded if "//" in address] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", styles) == []


def test_a_link_leads_to_a_page_and_to_a_place_on_it(site: Path) -> None:
    for page in pages(site):
        for address in set(ANCHORED.findall(page.read_text("utf-8"))):
            path, _, anchor = address.partition("#")
            found = (page.parent / unquote(path)).resolve() if path else page
            found = found / "index.html" if found.is_dir() else found
            assert found.exists(), (page.name, address)
            if anchor and found.suffix == ".html":
                assert f'id="{unquote(anchor)}"' in found.read_text("utf-8"), (page.name, address)


def test_every_operation_and_every_topic_is_in_the_reference(site: Path) -> None:
    api, events = ((site / "reference" / name).read_text("utf-8") for name in ("api.html", "events.html"))

    for said in ("POST /api/v1/promotions", "DELETE /api/v1/promotions/rules/{rule_id}", "PromotionRule"):
        assert said in api
    for said in ("promotion.requested", "metrics.observed", "CloudEventHeaders", "&lt;topic&gt;.dead"):
        assert said in events


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(
        r"[\w./-]+\.md", yaml.safe_dump(yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), yaml.BaseLoader)["nav"])
    )
    kept = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}

    assert kept <= set(listed)
    assert {name for name in listed if not name.startswith("reference/")} <= kept
