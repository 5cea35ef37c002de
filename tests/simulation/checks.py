"""What must hold at the end, and at each arrival at a gateway: read from the tables, the topics and the gateways' log.

Nothing is asked of the services. Each violation begins with the number of its invariant.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from schemas import topics
from schemas.cloudevents import EncodedRecord, decode
from schemas.events import (
    DeploymentCompleted,
    PromotionApproved,
    PromotionChanged,
    PromotionRequested,
    TestsCompleted,
)
from schemas.principals import principal_key
from schemas.topics import consumer_group
from services.executor.domain.answers import Call
from services.promotion import history
from tests.simulation.gateway import Request
from tests.simulation.world import CONSUMED, ORGANIZATION, SCHEMAS, World, identifier

Row = Any
TERMINAL = {"completed", "failed", "rejected"}
RUNNING = {"executing", "retrying"}
SUCCESSORS = {
    None: {"pending"},
    "pending": {"pending", "approved", "rejected"},
    "approved": {"approved", "completed", "failed", "rejected"},
}


class Violated(AssertionError):
    """An invariant does not hold."""


async def before_arrival(world: World, request: Request) -> None:
    """Check, before a request takes effect, that what it would create is wanted and approved at this moment."""
    state = world.network.gateways.get(request.order.gateway_id)
    key = request.order.key
    if request.call is not Call.PUT or (state and (key in state.deployments or key in state.fenced)):
        return
    (row,) = await world.rows("SELECT * FROM promotion.promotion WHERE id = $1", request.order.promotion_id)
    running = row["status"] == "approved" and row["status_reason"] in RUNNING
    orphans = await world.rows("SELECT 1 FROM executor.orphan WHERE promotion_id = $1", row["id"])
    if not running and not (row["status"] == "failed" and orphans):
        raise Violated(f"I7: a gateway is about to create {key}, which is {row['status']}/{row['status_reason']}")
    trouble = await _unapproved(world, row)
    if trouble:
        raise Violated(f"I13: a gateway is about to create {key}: {trouble}")


async def _unapproved(world: World, row: Row) -> str | None:
    rules = await world.rows(
        "SELECT * FROM rules.rule_version WHERE organization_id = $1 AND source_environment = $2 "
        "AND target_environment = $3 AND status = 'active' AND valid_from <= $4 "
        "AND (valid_to IS NULL OR valid_to > $4)",
        row["organization_id"], row["source_environment"], row["target_environment"], row["created_at"],
    )  # fmt: skip
    # After a clock was set back, a rule can be in force from an instant before a promotion that was evaluated already.
    (evaluated,) = await world.rows(
        "SELECT cast(cast(xmin AS text) AS bigint) AS transaction FROM rules.evaluation "
        "WHERE promotion_id = $1 AND number = 1",
        row["id"],
    )
    known = [one for one in rules if world.rules_written[one["rule_id"], one["version"]] < evaluated["transaction"]]
    needed = max((rule["required_approvers"] for rule in known if rule["requires_approval"]), default=0)
    if not known:
        needed = 0 if row["target_environment"] == "staging" else 1
    votes = await world.rows("SELECT * FROM promotion.vote WHERE promotion_id = $1", row["id"])
    approving = [vote for vote in votes if vote["decision"] == "approve"]
    people = {principal_key(vote["voter"]) for vote in approving} - {principal_key(row["created_by"])}
    if len(people) < needed:
        return f"{len(people)} of {needed} people approved"
    overriding = {principal_key(vote["voter"]) for vote in approving if vote["override_conditions"]}
    overriding -= {principal_key(row["created_by"])}
    proven = row["conditions"] in ("none", "true")
    if any(rule["conditions"] for rule in known) and row["conditions"] == "none":
        return "its rules have conditions, its evaluation knows of none"
    late = row["holds_until"] is not None and row["holds_until"] <= row["executing_at"]
    if (not proven or late) and len(overriding) < max(1, needed):
        return f"its conditions are {row['conditions']} until {row['holds_until']}"
    return None


async def violations(world: World, *, wiped: bool) -> list[str]:
    """Check everything; give what does not hold."""
    found: list[str] = []
    promotions = {row["id"]: row for row in await world.rows("SELECT * FROM promotion.promotion")}
    steps: dict[Any, list[Row]] = defaultdict(list)
    for row in await world.rows("SELECT * FROM promotion.history ORDER BY promotion_id, version"):
        steps[row["promotion_id"]].append(row)
    executions = {row["promotion_id"]: row for row in await world.rows("SELECT * FROM executor.execution")}
    found += _told(world, promotions)
    for identity, row in promotions.items():
        found += _history(row, steps[identity])
        found += _resting(row, world.clock())
    found += _gateways(world, promotions, executions)
    found += _topics(world, steps, promotions)
    found += await _letters(world, wiped=wiped)
    found += [line async for line in _leftovers(world)]
    found += [] if wiped else await _taken(world)
    found += await _slots(world, promotions, steps)
    broken = await world.in_promotion(lambda connection: history.first_break(connection, ORGANIZATION))
    if broken is not None:
        found.append(f"I21: the chain breaks at {broken}")
    return found


def _told(world: World, promotions: dict[Any, Row]) -> Iterator[str]:
    by_key: dict[str, set[Any]] = defaultdict(set)
    for told in world.told:
        row = promotions.get(told.promotion_id)
        if told.command == "create":
            if told.answer == "created" and row is None:
                yield f"I1: {told.promotion_id} was created and is not there"
            if told.answer == "created" and row is not None and told.detail.agent_id != row["agent_id"]:
                yield f"I1: {told.promotion_id} is of another agent"
            if told.key and told.answer in {"created", "repeated"}:
                by_key[told.key].add(told.promotion_id)
        elif told.promotion_id is None:
            continue
        elif told.answer and row is not None and told.answer.split()[0] in TERMINAL:
            if told.answer != f"{row['status']} {row['status_reason']}":
                yield f"I17: {told.actor} was told {told.answer} of {row['id']}, which is {row['status_reason']}"
        elif told.answer and not told.answer.startswith(("refused", "unknown")) and row is None:
            yield f"I1: a command on {told.promotion_id} was answered, and it is not there"
    for key, identities in by_key.items():
        if len(identities) > 1:
            yield f"I2: {key} made {len(identities)} promotions"


def _history(row: Row, steps: list[Row]) -> Iterator[str]:
    name = f"{row['id']} ({row['status']}/{row['status_reason']})"
    if [step["version"] for step in steps] != list(range(1, row["version"] + 1)):
        yield f"I20: {name} has versions {[step['version'] for step in steps]}"
        return
    before = None
    for step in steps:
        if step["previous_status"] != before or step["status"] not in SUCCESSORS.get(before, set()):
            yield f"I9: {name} went from {before} to {step['status']}"
        before = step["status"]
    last = steps[-1]
    if (last["status"], last["status_reason"]) != (row["status"], row["status_reason"]):
        yield f"I20: {name} folds to {last['status']}/{last['status_reason']}"
    if [step["at"] for step in steps] != sorted(step["at"] for step in steps):
        yield f"I22: {name} has a history out of order"
    votes = Counter((step["actor"], str(step["evidence"])) for step in steps if "approve" in str(step["evidence"]))
    for (actor, _), times in votes.items():
        if times > 2 and not actor.startswith("service:"):
            yield f"I12: {name} has {times} entries of approvals by {actor}"


def _resting(row: Row, now: datetime) -> Iterator[str]:
    name = f"{row['id']} ({row['status']}/{row['status_reason']})"
    if row["status"] in TERMINAL:
        return
    if row["expires_at"] <= now - timedelta(seconds=10):
        yield f"I3: {name} expired at {row['expires_at']:%H:%M:%S} and did not end"
    holds = row["conditions"] == "none" or (
        row["conditions"] == "true" and (row["holds_until"] is None or row["holds_until"] > now)
    )
    match row["status_reason"]:
        case "evaluating" | "executing" | "retrying" | "queued":
            yield f"I3: {name} is stuck"
        case "conditions_unmet" if holds:
            yield f"I3: {name} waits for conditions that hold"
        case "awaiting_approval" if not row["requires_approval"]:
            yield f"I3: {name} waits for approvals that it does not need"
        case "awaiting_execute" if row["execution"] != "manual":
            yield f"I3: {name} waits for a command that it does not need"


def _gateways(world: World, promotions: dict[Any, Row], executions: dict[Any, Row]) -> Iterator[str]:
    bodies: dict[str, set[bytes]] = defaultdict(set)
    creations: Counter[str] = Counter()
    for entry in world.network.log:
        if entry.call is Call.PUT:
            bodies[entry.key].add(entry.body)
        creations[entry.key] += entry.creates
    live = {
        deployment.deployment_id: deployment
        for state in world.network.gateways.values()
        for deployment in state.deployments.values()
    }
    for key, times in creations.items():
        if times > 1:
            yield f"I4: {key} was created {times} times"
    for key, found in bodies.items():
        if len(found) > 1:
            yield f"I4: {key} was asked for with {len(found)} bodies"
    for row in promotions.values():
        key = str(row["id"])
        match row["status"]:
            case "completed" if key not in live:
                yield f"I5: {key} completed, and no gateway has it"
            case "completed":
                content = live[key].content
                same = (row["agent_id"], row["deployment_version"], row["digest"], row["target_environment"])
                if same != (content.agent_id, content.version, content.digest, content.environment):
                    yield f"I5: {key} is live with other content"
                if row["target_deployment_id"] != key:
                    yield f"I5: {key} names {row['target_deployment_id']}"
            case "failed" if key in live:
                yield f"I6: {key} failed and is at a gateway"
            case "rejected" if key in bodies:
                yield f"I7: {key} was rejected ({row['status_reason']}) and asked for"
            case "pending" if key in bodies:
                yield f"I13: {key} is pending and was asked for"
        execution = executions.get(row["id"])
        if execution is not None and execution["status"] not in {"succeeded", "failed"}:
            yield f"I3: the execution of {key} is {execution['status']}"


async def _slots(world: World, promotions: dict[Any, Row], steps: dict[Any, list[Row]]) -> list[str]:
    found: list[str] = []
    newest: dict[tuple[str, str], Row] = {}
    # By the order of commits, which no clock can change.
    begun = {
        step["promotion_id"]: step["chain_seq"]
        for entries in steps.values()
        for step in entries
        if step["status_reason"] == "executing"
    }
    for identity in sorted(begun, key=lambda identity: begun[identity]):
        row = promotions[identity]
        if row["status"] == "completed":
            newest[row["agent_id"], row["target_gateway_id"]] = row
    active = {
        (row["agent_id"], row["gateway_id"]): row["deployment_id"]
        for row in await world.rows("SELECT * FROM inventory.deployment WHERE status = 'active'")
    }
    for (agent, gateway), row in newest.items():
        live = world.network.gateways[gateway].live((ORGANIZATION, agent))
        if live is None or live.deployment_id != str(row["id"]):
            found.append(f"I11: {agent} on {gateway} runs {live and live.deployment_id}, not {row['id']}")
        if active.get((agent, gateway)) != str(row["id"]):
            found.append(
                f"I11: inventory shows {active.get((agent, gateway))} of {agent} on {gateway}, not {row['id']}"
            )
    twice = await world.rows(
        "SELECT source_deployment_id, rule_id, rule_version, target_environment FROM rules.request "
        "WHERE origin = 'auto' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    )
    found += [f"I19: promoted by itself twice: {dict(row)}" for row in twice]
    return found


def _topics(world: World, steps: dict[Any, list[Row]], promotions: dict[Any, Row]) -> Iterator[str]:
    values: dict[str, set[tuple[Any, bytes | None]]] = defaultdict(set)
    changed: dict[Any, dict[int, PromotionChanged]] = defaultdict(dict)
    orders: set[Any] = set()
    for record in world.broker.ever:
        if record.key == b"poison":
            continue
        if record.topic == topics.PROMOTION_CHANGED:
            data = _read(record)
            assert isinstance(data, PromotionChanged)
            known = changed[data.promotion_id]
            if data.version not in known and any(version > data.version for version in known):
                yield f"I23: version {data.version} of {data.promotion_id} was told after a later one"
            known[data.version] = data
        elif record.topic == topics.PROMOTION_APPROVED and not identifier(record).startswith("up-"):
            order = _read(record)
            assert isinstance(order, PromotionApproved)
            orders.add(order.promotion_id)
        if not record.topic.endswith(".dead"):
            values[f"{record.topic} {identifier(record)}"].add((record.headers, record.value))
    for name, variants in values.items():
        if len(variants) > 1 and "ce_id" not in name and not name.endswith(" "):
            yield f"I23: {name} was told in {len(variants)} ways"
    for identity, entries in steps.items():
        told = {version: (data.status, data.status_reason) for version, data in changed[identity].items()}
        if told != {entry["version"]: (entry["status"], entry["status_reason"]) for entry in entries}:
            yield f"I23: of {identity} were told {told}"
    yield from (f"I23: {identity} was told of and is not there" for identity in changed if identity not in promotions)
    begun = {row["id"] for row in promotions.values() if row["executing_at"] is not None}
    if orders != begun:
        yield f"I23: ordered {len(orders)}, begun {len(begun)}: {orders ^ begun}"


async def _letters(world: World, *, wiped: bool) -> list[str]:
    found: list[str] = []
    letters = await world.rows("SELECT * FROM platform.dead_letter")
    parked = Counter((row["consumer_group"], row["key"], row["value"]) for row in letters)
    poison = [record for record in world.broker.ever if record.key == b"poison" and not record.topic.endswith(".dead")]
    for record in poison:
        for service, consumed in CONSUMED.items():
            if record.topic in consumed and not wiped:
                group = consumer_group(service, record.topic)
                if not parked[group, record.key, record.value]:
                    found.append(f"I25: {group} parked no {record.value!r:.40}")
    return found + [
        f"I25: {row['consumer_group']} parked a good record: {row['reason']}: {row['detail']}"
        for row in letters
        if row["key"] not in {b"poison", b"forged"}
    ]


async def _taken(world: World) -> list[str]:
    """Check that what upstream services told was taken in by everyone whom it concerns."""
    deployments = {row["deployment_id"] for row in await world.rows("SELECT deployment_id FROM inventory.deployment")}
    requests = {row["caused_by"] for row in await world.rows("SELECT caused_by FROM rules.request")}
    tested = {row["deployment_id"] for row in await world.rows("SELECT deployment_id FROM rules.test_run")}
    found: list[str] = []
    for record in world.broker.ever:
        if not identifier(record).startswith("up-") or record.key in {b"poison", b"forged"}:
            continue
        data = _read(record)
        if isinstance(data, DeploymentCompleted) and data.deployment_id not in deployments:
            found.append(f"I25: inventory never took {data.deployment_id}")
        if isinstance(data, TestsCompleted) and data.deployment_id not in tested:
            found.append(f"I25: the rules never took the tests of {data.deployment_id}")
        if isinstance(data, PromotionRequested) and identifier(record) not in requests:
            found.append(f"I25: the rules never took the request {identifier(record)}")
    return found


async def _leftovers(world: World) -> Any:
    for schema in SCHEMAS:
        (left,) = await world.rows(f"SELECT count(*) AS rows FROM {schema}.outbox")
        if left["rows"]:
            yield f"I38: {left['rows']} rows are left in the outbox of {schema}"
        for topic in CONSUMED[schema]:
            waiting = world.broker.waiting(consumer_group(schema, topic))
            if waiting:
                yield f"I38: {schema} has {waiting} records of {topic} before it"
    for row in await world.rows("SELECT promotion_id FROM rules.unconfirmed"):
        yield f"I38: the evaluation of {row['promotion_id']} was never taken"
    for row in await world.rows("SELECT promotion_id FROM executor.execution WHERE NOT taken"):
        yield f"I38: the outcome of {row['promotion_id']} was never taken"
    for row in await world.rows("SELECT promotion_id FROM executor.orphan WHERE fenced_at IS NULL"):
        yield f"I6: the orphan {row['promotion_id']} was never fenced"


def _read(record: EncodedRecord) -> Any:
    return decode(topic=record.topic, key=record.key, headers=record.headers, value=record.value).data
