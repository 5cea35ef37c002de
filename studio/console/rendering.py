"""Templates to HTML: every value is escaped, a misspelt one is an error, assets are named by their content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from studio.console.views import moments, rules, words

_HERE = Path(__file__).parent
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages refer to; ``address`` changes with its content, so that browsers may keep it for ever."""

    content: bytes
    media_type: str
    address: str


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:12]
    return Asset(content, _MEDIA_TYPES[path.suffix], f"/console/{path.name}?v={version}")


ASSETS = {path.name: _asset(path) for path in sorted((_HERE / "static").iterdir()) if path.suffix in _MEDIA_TYPES}

_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_templates.globals["asset"] = lambda name: ASSETS[name].address
_templates.globals["needs"] = rules.needs
_templates.globals["counted"] = words.counted
_templates.filters["ago"] = moments.ago
_templates.filters["exact"] = moments.exact
_templates.filters["standing"] = words.standing


def render(template: str, **values: Any) -> str:
    """Render one template."""
    return _templates.get_template(template).render(**values)
