"""Writes the documents of the API and the topics from the models; with ``--check`` only says whether they are current.

It connects to nothing: the application is built with addresses that nobody answers.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from services.ingress.app import build_app
from services.ingress.asyncapi import asyncapi_document
from services.platform.settings import load_settings

FOLDER = Path(__file__).parent
_NOWHERE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "PROMOTION_KEY_PEPPER": "only for the documents",
}


def documents() -> dict[Path, str]:
    """Give each generated file with what it has to hold."""
    app = build_app(load_settings(_NOWHERE))
    return {FOLDER / "openapi.json": _text(app.openapi()), FOLDER / "asyncapi.json": _text(asyncapi_document())}


def outdated() -> list[Path]:
    """Name the files that do not say what the code says."""
    return [path for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text]


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the documents, or check them; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a document is outdated")
    if parser.parse_args().check:
        wrong = outdated()
        for path in wrong:
            print(f"{path.relative_to(FOLDER.parent)} is outdated; run: make docs", file=sys.stderr)  # noqa: T201
        return 1 if wrong else 0
    for path, text in documents().items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
