"""What clients were told, against what there is."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID

from tests.chaos.evidence import Evidence
from tests.chaos.schedule import Door

TERMINAL = frozenset({"completed", "failed", "rejected"})


def answered_and_gone(evidence: Evidence) -> Iterator[str]:
    """I1: what was accepted is there, as it was asked for."""
    plans = {plan.number: plan for plan in evidence.plans}
    for told in evidence.told:
        if told.command == "create" and told.promotion_id is not None:
            row, plan = evidence.promotions.get(UUID(told.promotion_id)), plans[told.plan]
            if row is None:
                yield f"I1: {told.promotion_id} was accepted and is not there"
            elif (row["agent_id"], row["source_deployment_id"], row["target_environment"]) != (
                plan.agent_id,
                plan.deployment_id,
                plan.target_environment,
            ):
                yield f"I1: {told.promotion_id} is not what was asked for"
        elif told.command not in {"create", "announce"} and told.accepted and evidence.asked.get(told.plan) is None:
            yield f"I1: {told.command} of plan {told.plan} was accepted without a promotion"
    for identifier in evidence.asked.values():
        if identifier not in evidence.promotions:
            yield f"I1: {identifier} was asked for and is not there"


def doubled(evidence: Evidence) -> Iterator[str]:
    """I2: one key, one promotion; and one promotion of what was asked for once, however often it was sent."""
    answers: dict[int, set[str]] = defaultdict(set)
    for told in evidence.told:
        if told.command == "create" and told.promotion_id is not None:
            answers[told.plan].add(told.promotion_id)
    for plan, identifiers in answers.items():
        if len(identifiers) > 1:
            yield f"I2: the key of plan {plan} made {sorted(identifiers)}"
    made = Counter(row["source_deployment_id"] for row in evidence.promotions.values())
    for deployment, times in made.items():
        if times > 1:
            yield f"I2: {deployment} was asked for once and has {times} promotions"


def contradicted(evidence: Evidence) -> Iterator[str]:
    """I17, I36: an end that was told stays the end; nothing that is asked is answered with a failure."""
    for told in evidence.told:
        if told.status is not None and told.status >= 500 and told.status != 503:
            yield f"I36: {told.command} of plan {told.plan} was answered with {told.status}: {told.body}"
        if not told.accepted or not isinstance(told.body, dict) or told.body.get("status") not in TERMINAL:
            continue
        row = evidence.promotions.get(UUID(told.body["id"]))
        shown = (told.body["status"], told.body["status_reason"])
        if row is not None and shown != (row["status"], row["status_reason"]):
            yield f"I17: {told.actor} was told that {row['id']} is {shown}; it is {row['status']}"
    http = {plan.number for plan in evidence.plans if plan.door is Door.HTTP}
    for told in evidence.told:
        if told.plan in http and told.command == "create" and told.status in {401, 403, 404, 409, 422}:
            yield f"I1: plan {told.plan} was refused with {told.status}: {told.body}"
