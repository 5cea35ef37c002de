"""Creating promotions, many in one transaction: each request has its own outcome, and none spoils another's.

Order: keys claimed, requests examined, slots locked, promotions opened, answers remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from schemas.vocabulary import Origin
from services.promotion import idempotency, store
from services.promotion.domain.eligibility import Asked, Eligible, Fault, examine
from services.promotion.domain.lifecycle import Transition, open_promotion
from services.promotion.domain.promotion import Cause, Place, Promotion, Request, Slot
from services.promotion.idempotency import Claim, Remembered
from services.promotion.present import promotion_resource
from services.promotion.surroundings import around
from services.promotion.work import Work


@dataclass(frozen=True, slots=True)
class Creation:
    """One request to create: who asks for what; ``key`` and ``body_hash`` make a repeat of it one request."""

    id: UUID
    organization_id: str
    asked: Asked
    created_by: str
    via: str | None
    key: str | None
    body_hash: bytes
    traceparent: str | None

    @property
    def claim(self) -> Claim | None:
        """Give what the request claims, if it has a key."""
        return None if self.key is None else Claim(self.organization_id, self.key)


@dataclass(frozen=True, slots=True)
class Created:
    """The promotion was created."""

    promotion: Promotion


@dataclass(frozen=True, slots=True)
class Repeated:
    """The key came before with the same body: this promotion, answered like this (JSON text)."""

    promotion_id: UUID
    answer: str


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key came before with another body, and made this promotion, or None where that came to nothing."""

    promotion_id: UUID | None


@dataclass(frozen=True, slots=True)
class Ineligible:
    """The request cannot be promoted."""

    faults: list[Fault]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Another promotion of the same deployment to the same gateway is under way."""

    promotion_id: UUID


Outcome = Created | Repeated | KeyReused | Ineligible | UnderWay


async def create(work: Work, creations: Sequence[Creation]) -> list[Outcome]:
    """Create what can be created within the transaction of ``work``; give each request's outcome, in their order."""
    first_with_key = _first_with_key(creations)
    remembered = await idempotency.claim(
        work.connection,
        {claim: (creation.body_hash, creation.id) for claim, creation in first_with_key.items()},
        now=work.now,
    )
    fresh = [
        creation
        for creation in creations
        if creation.claim is None
        or (creation.claim not in remembered and first_with_key[creation.claim].id == creation.id)
    ]
    outcomes = await _create_fresh(work, fresh)
    remembered |= await _remember(work, fresh, outcomes)
    return [_outcome(creation, outcomes, first_with_key, remembered) for creation in creations]


def _first_with_key(creations: Sequence[Creation]) -> dict[Claim, Creation]:
    first: dict[Claim, Creation] = {}
    for creation in creations:
        if creation.claim is not None:
            first.setdefault(creation.claim, creation)
    return first


async def _create_fresh(work: Work, fresh: Sequence[Creation]) -> dict[UUID, Outcome]:
    outcomes: dict[UUID, Outcome] = {}
    eligible: list[tuple[Creation, Eligible]] = []
    known = await around(work.connection, [(creation.organization_id, creation.asked) for creation in fresh])
    for creation, surroundings in zip(fresh, known, strict=True):
        match examine(creation.asked, surroundings):
            case Eligible() as found:
                eligible.append((creation, found))
            case faults:
                outcomes[creation.id] = Ineligible(faults)
    await store.lock_slots(work.connection, {_place(c, e).slot for c, e in eligible})
    places = {_place(c, e) for c, e in eligible}
    under_way = {place: key.id for place, key in (await store.under_way(work.connection, places)).items()}
    opened: list[Transition] = []
    for creation, found in eligible:
        first = under_way.setdefault(_place(creation, found), creation.id)
        if first != creation.id:
            outcomes[creation.id] = UnderWay(first)
            continue
        opened.append(_opened(creation, found, work))
        outcomes[creation.id] = Created(opened[-1].after)
    await work.open([[step] for step in opened])
    await work.record()
    return outcomes


def _place(creation: Creation, found: Eligible) -> Place:
    asked = creation.asked
    slot = Slot(creation.organization_id, asked.agent_id, found.target_gateway_id)
    return Place(slot, asked.source_deployment_id)


def _opened(creation: Creation, found: Eligible, work: Work) -> Transition:
    asked = creation.asked
    request = Request(
        organization_id=creation.organization_id,
        id=creation.id,
        agent_id=asked.agent_id,
        source_deployment_id=asked.source_deployment_id,
        target_environment=asked.target_environment,
        origin=Origin.USER,
        created_by=creation.created_by,
        created_at=work.now,
        created_via=creation.via,
        traceparent=creation.traceparent,
    )
    evidence = {
        "origin": Origin.USER.value,
        "agent_id": asked.agent_id,
        "source_deployment_id": asked.source_deployment_id,
        "deployment_version": found.deployment_version,
        "digest": found.digest,
        "target_gateway_id": found.target_gateway_id,
        "target_environment": asked.target_environment,
    }
    return open_promotion(
        request,
        Cause(creation.created_by, work.now, evidence, via=creation.via, traceparent=creation.traceparent),
        source_environment=found.source_environment,
        target_gateway_id=found.target_gateway_id,
        deployment_version=found.deployment_version,
        digest=found.digest,
    )


async def _remember(work: Work, fresh: Sequence[Creation], outcomes: dict[UUID, Outcome]) -> dict[Claim, Remembered]:
    answers: dict[Claim, Remembered] = {}
    unused: list[Claim] = []
    for creation in fresh:
        outcome = outcomes[creation.id]
        if creation.claim is None:
            continue
        if isinstance(outcome, Created):
            answer = promotion_resource(outcome.promotion).model_dump_json()
            answers[creation.claim] = Remembered(creation.body_hash, creation.id, answer)
        else:
            unused.append(creation.claim)
    await idempotency.remember(work.connection, {claim: known.answer for claim, known in answers.items()})
    await idempotency.release(work.connection, unused)
    return answers


def _outcome(
    creation: Creation,
    outcomes: dict[UUID, Outcome],
    first_with_key: dict[Claim, Creation],
    remembered: dict[Claim, Remembered],
) -> Outcome:
    if creation.id in outcomes or creation.claim is None:
        return outcomes[creation.id]
    known = remembered.get(creation.claim)
    if known is None:
        # Came at the same time as its first, which came to nothing: the same body comes to the same.
        first = first_with_key[creation.claim]
        return outcomes[first.id] if first.body_hash == creation.body_hash else KeyReused(None)
    if known.body_hash != creation.body_hash:
        return KeyReused(known.promotion_id)
    return Repeated(known.promotion_id, known.answer)
