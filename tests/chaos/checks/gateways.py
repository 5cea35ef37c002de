"""The gateways' own logs against what was approved and what became of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from schemas.principals import principal_key
from studio.gateway.records import EffectApplied, RequestReceived, fold
from studio.gateway.state import Created, Deployment
from tests.chaos.evidence import Evidence

# The rule of the run asks for two people before production; no rule before staging is the built-in default.
REQUIRED_APPROVERS = {"staging": 0, "production": 2}


def created_twice(evidence: Evidence) -> Iterator[str]:
    """I4: one deployment a promotion, asked for with one body."""
    bodies: dict[str, set[str]] = defaultdict(set)
    for request in _puts(evidence):
        bodies[request.key or ""].add(request.body_sha256)
    for key, times in Counter(effect.key for effect in _created(evidence)).items():
        if times > 1:
            yield f"I4: {key} was created {times} times"
    for key, found in bodies.items():
        if len(found) > 1:
            yield f"I4: {key} was asked for with {len(found)} bodies"


def unapproved(evidence: Evidence) -> Iterator[str]:
    """I7, I13: nothing is asked of a gateway that was not approved by then, and never what was rejected."""
    first: dict[str, datetime] = {}
    for request in _puts(evidence):
        first.setdefault(request.key or "", request.at)
    for key, at in first.items():
        row = evidence.promotions.get(UUID(key))
        if row is None:
            yield f"I7: {key} was asked for and is no promotion"
            continue
        if row["status"] not in {"completed", "failed"} and row["status_reason"] not in {"executing", "retrying"}:
            yield f"I7: {key} is {row['status']}/{row['status_reason']} and was asked for"
        steps = evidence.history.get(row["id"], ())
        begun = [step["at"] for step in steps if step["status_reason"] == "executing"]
        if not begun or begun[0] > at:
            yield f"I7: {key} was asked for at {at:%H:%M:%S.%f}, before it executed"
        people = {
            principal_key(vote["voter"])
            for vote in evidence.votes
            if vote["promotion_id"] == row["id"] and vote["decision"] == "approve" and vote["voted_at"] <= at
        } - {principal_key(row["created_by"])}
        needed = REQUIRED_APPROVERS[row["target_environment"]]
        if len(people) < needed:
            yield f"I13: {key} was asked for after {len(people)} of {needed} people had approved"


def completed_and_not_there(evidence: Evidence) -> Iterator[str]:
    """I5: what completed is at the gateway, with what was approved, and inventory shows it."""
    hosted = _hosted(evidence)
    shown = Counter((row["gateway_id"], row["deployment_id"]) for row in evidence.deployments)
    for identifier, row in evidence.promotions.items():
        if row["status"] != "completed":
            continue
        deployment = hosted.get(str(identifier))
        if deployment is None:
            yield f"I5: {identifier} completed, and no gateway has it"
            continue
        content = deployment.content
        approved = (row["agent_id"], row["deployment_version"], row["digest"], row["target_gateway_id"])
        if approved != (content.agent_id, content.version, content.digest, content.gateway_id):
            yield f"I5: {identifier} is at the gateway with other content"
        if row["target_deployment_id"] != str(identifier):
            yield f"I5: {identifier} names {row['target_deployment_id']}"
        if shown[row["target_gateway_id"], str(identifier)] != 1:
            yield f"I5: inventory does not show {identifier}"


def live_against_the_outcome(evidence: Evidence) -> Iterator[str]:
    """I6: what failed is not at a gateway, unless a record says that it may be."""
    hosted = _hosted(evidence)
    orphans = {str(row["promotion_id"]) for row in evidence.orphans if row["fenced_at"] is None}
    for identifier, row in evidence.promotions.items():
        if row["status"] == "failed" and str(identifier) in hosted and str(identifier) not in orphans:
            yield f"I6: {identifier} failed ({row['status_reason']}) and is at a gateway"


def out_of_order(evidence: Evidence) -> Iterator[str]:
    """I11: a slot executes one at a time, in the order in which that began, and its newest is live everywhere."""
    slots: dict[tuple[str, str], list[UUID]] = defaultdict(list)
    begun: dict[UUID, int] = {}
    ended: dict[UUID, int] = {}
    for identifier, steps in evidence.history.items():
        row = evidence.promotions[identifier]
        for step in steps:
            if step["status_reason"] == "executing":
                begun.setdefault(identifier, step["chain_seq"])
        if identifier in begun:
            ended[identifier] = steps[-1]["chain_seq"]
            slots[row["agent_id"], row["target_gateway_id"]].append(identifier)
    states = {gateway: fold(records) for gateway, records in evidence.gateways.items()}
    active = {
        (row["agent_id"], row["gateway_id"]): row["deployment_id"]
        for row in evidence.deployments
        if row["status"] == "active"
    }
    for (agent, gateway), identifiers in slots.items():
        order = sorted(identifiers, key=lambda identifier: begun[identifier])
        for earlier, later in pairwise(order):
            if ended[earlier] > begun[later]:
                yield f"I11: {later} began in the slot of {earlier} before that one had ended"
        done = [str(each) for each in order if evidence.promotions[each]["status"] == "completed"]
        if not done:
            continue
        live = next((found for slot, found in states[gateway].live_by_slot().items() if slot[1] == agent), None)
        if live is None or live.deployment_id != done[-1]:
            yield f"I11: {agent} on {gateway} runs {live and live.deployment_id}, not {done[-1]}"
        if active.get((agent, gateway)) != done[-1]:
            yield f"I11: inventory shows {active.get((agent, gateway))} of {agent} on {gateway}, not {done[-1]}"


def _puts(evidence: Evidence) -> Iterator[RequestReceived]:
    for records in evidence.gateways.values():
        for record in records:
            if isinstance(record, RequestReceived) and record.method == "PUT" and record.key:
                yield record


def _created(evidence: Evidence) -> Iterator[Created]:
    for records in evidence.gateways.values():
        for record in records:
            if isinstance(record, EffectApplied) and isinstance(record.effect, Created):
                yield record.effect


def _hosted(evidence: Evidence) -> dict[str, Deployment]:
    return {
        key: deployment
        for records in evidence.gateways.values()
        for key, deployment in fold(records).deployments.items()
    }
