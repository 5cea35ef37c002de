"""What is asked for and what goes wrong meanwhile, drawn from a seed: the same seed gives the same schedule. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

SERVICES = ("promotion", "rules", "executor", "inventory", "ingress")
TARGETS = ("gw-staging", "gw-production")


class Kind(StrEnum):
    """The faults there are."""

    KILL = "kill"
    PAUSE = "pause"
    RESTART = "restart"
    TWIN = "second worker"
    BROKER_KILL = "broker killed"
    BROKER_PAUSE = "broker hangs"
    POSTGRES_KILL = "PostgreSQL killed"
    POSTGRES_PAUSE = "PostgreSQL hangs"
    BACKEND_KILL = "backend killed"
    CONNECTIONS_CUT = "connections terminated"
    GATEWAY_KILL = "gateway killed"
    GATEWAY_HANGS = "gateway hangs"
    GATEWAY_LIES = "gateway lies"
    GATEWAY_FAILS = "gateway fails"
    GATEWAY_REFUSES = "gateway refuses"
    REPEATED = "records repeated and reordered"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it begins ``after_seconds`` into its part of the load, and is healed after ``seconds``.

    ``while_asking``: that is counted from when promotions begin to be asked for, not from their announcements.
    """

    number: int
    kind: Kind
    target: str
    while_asking: bool
    after_seconds: float
    seconds: float
    seed: int


class Door(StrEnum):
    """How a promotion is asked for; ``EARLY`` is over Kafka, before its deployment is announced."""

    HTTP = "http"
    KAFKA = "kafka"
    EARLY = "early"


@dataclass(frozen=True, slots=True)
class Decision:
    """One command; those of the same ``turn`` are given at once."""

    turn: int
    actor: str
    command: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One promotion: where from and to, how it is asked for, how often that is sent, and what people decide."""

    number: int
    agent_id: str
    source_gateway_id: str
    target_environment: str
    door: Door
    sent: int
    decisions: tuple[Decision, ...]

    @property
    def deployment_id(self) -> str:
        """Name what is promoted; every plan has one of its own."""
        return f"dep-{self.number:05d}"

    @property
    def source_environment(self) -> str:
        """Name where it comes from."""
        return "development" if self.target_environment == "staging" else "staging"

    @property
    def target_gateway_id(self) -> str:
        """Name where it goes to."""
        return f"gw-{self.target_environment}"


@dataclass(frozen=True, slots=True)
class Part:
    """One fault, and what is asked for around it."""

    fault: Fault
    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class _Card:
    kind: Kind
    target: str
    seconds: tuple[float, float] = (0.0, 0.0)


# Longer than leases (5 s) and sessions (6 s).
_PAUSE = (6.5, 9.0)
# These come first, so that a short run too meets the windows that it is for.
_FIRST = (
    _Card(Kind.KILL, "executor"),
    _Card(Kind.GATEWAY_LIES, "gw-staging", (3.0, 5.0)),
    _Card(Kind.POSTGRES_KILL, "postgres"),
    _Card(Kind.REPEATED, "kafka"),
    _Card(Kind.POISON, "kafka"),
)
_REST = (
    *(_Card(Kind.KILL, service) for service in SERVICES if service != "executor"),
    *(_Card(Kind.PAUSE, service, _PAUSE) for service in SERVICES),
    *(_Card(Kind.RESTART, service) for service in SERVICES),
    _Card(Kind.BROKER_KILL, "kafka"),
    _Card(Kind.BROKER_PAUSE, "kafka", (2.0, 7.0)),
    _Card(Kind.POSTGRES_PAUSE, "postgres", (2.0, 5.0)),
    _Card(Kind.BACKEND_KILL, "postgres"),
    _Card(Kind.CONNECTIONS_CUT, "postgres", (0.5, 2.0)),
    *(_Card(Kind.GATEWAY_KILL, gateway) for gateway in TARGETS),
    *(_Card(Kind.GATEWAY_HANGS, gateway, (3.0, 6.0)) for gateway in TARGETS),
    _Card(Kind.GATEWAY_LIES, "gw-production", (3.0, 5.0)),
    *(_Card(Kind.GATEWAY_FAILS, gateway, (3.0, 5.0)) for gateway in TARGETS),
    _Card(Kind.GATEWAY_REFUSES, "gw-staging", (3.0, 5.0)),
)
# The embedded broker has no groups of several members.
# The last one: what is under way has to be sent again, which takes longest.
_LAST = _Card(Kind.BROKER_KILL, "kafka")
_WITH_GROUPS = tuple(_Card(Kind.TWIN, service, _PAUSE) for service in SERVICES if service != "ingress")

_APPROVED = (
    Decision(1, "approver", "approve"),
    Decision(2, "approver2", "approve"),
    Decision(3, "approver", "approve"),
)
_COURSES: Sequence[tuple[int, tuple[Decision, ...]]] = (
    (10, _APPROVED),
    (2, (Decision(1, "approver", "approve"), Decision(2, "approver2", "reject"))),
    (2, (Decision(1, "approver", "approve"), Decision(2, "requester", "cancel"))),
    (
        4,
        (
            Decision(1, "approver", "approve"),
            Decision(2, "approver2", "approve"),
            Decision(2, "requester", "cancel"),
            Decision(2, "approver", "reject"),
        ),
    ),
    (1, (Decision(1, "approver", "approve"), Decision(2, "approver", "approve"))),
    (1, ()),
)


def schedule(*, promotions: int, faults: int, seed: int, groups: bool) -> tuple[Part, ...]:
    """Draw a run: ``faults`` parts that share ``promotions``; ``groups``: services may have several workers."""
    random = Random(f"chaos {seed}")
    plans = _plans(promotions, random)
    cards = _dealt((*_REST, *(_WITH_GROUPS if groups else ())), random)
    bounds = [promotions * number // faults for number in range(faults + 1)]
    dealt = [next(cards) for _ in range(faults - 1)] + [_LAST]
    return tuple(
        Part(_fault(number, card, random), tuple(plans[bounds[number] : bounds[number + 1]]))
        for number, card in enumerate(dealt)
    )


def _dealt(rest: Sequence[_Card], random: Random) -> Iterator[_Card]:
    """Deal every card once before any comes again."""
    yield from random.sample(_FIRST, len(_FIRST))
    yield from random.sample(rest, len(rest))
    deck = (*_FIRST, *rest)
    while True:
        yield from random.sample(deck, len(deck))


def _fault(number: int, card: _Card, random: Random) -> Fault:
    return Fault(
        number,
        card.kind,
        card.target,
        while_asking=card in (*_FIRST, _LAST) or random.random() < 0.75,
        after_seconds=round(random.uniform(0.2, 1.2), 3),
        seconds=round(random.uniform(*card.seconds), 3),
        seed=random.getrandbits(32),
    )


def _plans(promotions: int, random: Random) -> list[Plan]:
    plans: list[Plan] = []
    while len(plans) < promotions:
        number = len(plans)
        if random.random() < 0.35:
            course = random.choices([way for _, way in _COURSES], weights=[weight for weight, _ in _COURSES])[0]
            plans.append(_plan(number, number, "gw-staging", "production", course, random))
            continue
        plans.append(_plan(number, number, "gw-development", "staging", (), random))
        if random.random() < 0.15:
            # Two of one agent meet in the slot that they go to.
            plans.append(_plan(number + 1, number, "gw-development-2", "staging", (), random))
    return plans[:promotions]


def _plan(number: int, agent: int, source: str, target: str, decisions: tuple[Decision, ...], random: Random) -> Plan:
    # A requester takes back only what it asked for, and over Kafka somebody else asks.
    doors = (Door.HTTP,) if any(d.command == "cancel" for d in decisions) else (Door.HTTP, Door.KAFKA, Door.EARLY)
    return Plan(
        number=number,
        agent_id=f"agent-{agent:05d}",
        source_gateway_id=source,
        target_environment=target,
        door=random.choices(doors, weights=(6, 3, 1)[: len(doors)])[0],
        sent=2 if random.random() < 0.25 else 1,
        decisions=decisions,
    )
