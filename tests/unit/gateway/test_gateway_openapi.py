"""The kept contract document says what the code says."""

import json
from pathlib import Path

from studio.gateway import contract
from studio.gateway.openapi import openapi_document

KEPT = Path(__file__).parents[3] / "docs" / "gateway.openapi.json"


def test_the_kept_document_is_current() -> None:
    assert json.loads(KEPT.read_text()) == openapi_document(), (
        "renew it: python -m studio.gateway.openapi > docs/gateway.openapi.json"
    )


def test_every_reference_in_the_document_leads_somewhere() -> None:
    text = json.dumps(openapi_document())
    schemas = openapi_document()["components"]["schemas"]

    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert names <= set(schemas)
    assert contract.DeploymentRequest.__name__ in names
