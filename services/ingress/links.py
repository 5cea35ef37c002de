"""Which answer of the API leads to which next call, as OpenAPI links; for clients and fuzzers that walk it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Way:
    """From answers that show a thing, to what can be asked of it by the value at a place of the answer."""

    origins: Mapping[str, str]
    parameter: str
    targets: tuple[str, ...]


_ONE, _FIRST = "$response.body#/{}", "$response.body#/items/0/{}"


def _ways(*, made_by: tuple[str, ...], listed_by: str, name: str, parameter: str, targets: tuple[str, ...]) -> Way:
    origins = dict.fromkeys(made_by, _ONE.format(name)) | {listed_by: _FIRST.format(name)}
    return Way(origins, parameter, targets)


WAYS = (
    _ways(
        made_by=("create_promotion", "approve_promotion"),
        listed_by="list_promotions",
        name="id",
        parameter="promotion_id",
        targets=(
            "get_promotion", "get_promotion_history", "explain_one_promotion", "approve_promotion",
            "reject_promotion", "cancel_promotion", "execute_promotion", "break_glass",
        ),
    ),
    _ways(
        made_by=("create_promotion_rule", "replace_promotion_rule"),
        listed_by="list_promotion_rules",
        name="id",
        parameter="rule_id",
        targets=(
            "get_promotion_rule", "list_promotion_rule_versions", "replace_promotion_rule", "delete_promotion_rule",
        ),
    ),
    _ways(
        made_by=("register_gateway", "replace_gateway"),
        listed_by="list_gateways",
        name="gateway_id",
        parameter="gateway_id",
        targets=("get_gateway", "replace_gateway", "delete_gateway"),
    ),
    _ways(
        made_by=("get_deployment",),
        listed_by="list_deployments",
        name="deployment_id",
        parameter="deployment_id",
        targets=("get_deployment", "get_deployment_facts", "explain_one_deployment"),
    ),
    _ways(
        made_by=("create_webhook", "replace_webhook"),
        listed_by="list_webhooks",
        name="id",
        parameter="webhook_id",
        targets=(
            "get_webhook", "replace_webhook", "test_webhook", "rotate_webhook_secret", "list_webhook_deliveries",
            "delete_webhook",
        ),
    ),
    _ways(
        made_by=("get_dead_letter",),
        listed_by="list_dead_letters",
        name="id",
        parameter="letter_id",
        targets=("get_dead_letter", "replay_dead_letter", "discard_dead_letter"),
    ),
)  # fmt: skip


def add_links(document: dict[str, Any]) -> None:
    """Say of the successful answers in ``document`` what they lead to."""
    answers = {
        operation["operationId"]: [answer for status, answer in operation["responses"].items() if status[0] == "2"]
        for operations in document["paths"].values()
        for operation in operations.values()
    }
    for way in WAYS:
        for origin, place in way.origins.items():
            for answer in answers[origin]:
                links = answer.setdefault("links", {})
                for target in way.targets:
                    if target not in answers:
                        raise KeyError(f"{origin} leads to {target}, which is no operation")
                    links[target] = {"operationId": target, "parameters": {way.parameter: place}}
