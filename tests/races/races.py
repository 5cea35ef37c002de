"""Races of decisions: people command the same promotions at the same time, and each is told who won."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

from schemas.vocabulary import Decision, Execution
from services.platform.database import is_conflict
from services.promotion import commanding, upkeep
from services.promotion.domain import commands
from services.promotion.domain.commands import NotApproved, OwnPromotion, TooLate
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Cause, Key, Promotion, Vote
from services.promotion.http.transactions import Transactions
from services.promotion.store import Overtaken
from services.promotion.work import Work
from tests.integration.promotion.house import ORGANIZATION, REDRIVE_AFTER, House, completion, evaluation

# Those of the house's pool.
CONNECTIONS = 16
# Of these at most one may win; who wins decides how the promotion ends.
DECISIONS = {"approve": "approved", "reject": "rejected", "cancel": "rejected", "execute": "approved"}
RACERS = {
    # Approving executes at once, so that nothing can be taken back afterwards.
    "votes": (("approve", "ada"), ("approve", "ada"), ("reject", "bob"), ("cancel", "rita"), ("approve", "cyd")),
    "starts": (("execute", "rita"), ("cancel", "rita"), ("execute", "eve"), ("reject", "bob")),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one racer was told: where the promotion stood for it, or why it came too late."""

    promotion_id: UUID
    command: str
    told: str

    @property
    def won(self) -> bool:
        """Tell whether its command was accepted."""
        return self.told.startswith(DECISIONS[self.command])


async def race(house: House, *, promotions: int, random: Random) -> list[str]:
    """Run one race for each of ``promotions`` new ones, all at once; give every double or lost decision."""
    kinds = {UUID(int=random.getrandbits(128), version=4): random.choice(sorted(RACERS)) for _ in range(promotions)}
    await _prepare(house, kinds)
    transactions = Transactions(house.database, house.outbox, house.clock, REDRIVE_AFTER)
    # As many at once as there are connections, and those of one promotion beside one another, so that they meet.
    racers = [(identifier, *racer) for identifier, kind in kinds.items() for racer in _shuffled(RACERS[kind], random)]
    lanes = asyncio.Semaphore(CONNECTIONS - 2)

    async def run(identifier: UUID, name: str, actor: str) -> Outcome:
        async with lanes:
            return await _command(transactions, identifier, name, actor)

    outcomes = await asyncio.gather(
        *(run(*racer) for racer in racers), *(_bystander(house, kinds, random) for _ in range(2))
    )
    return await _double(house, kinds, [outcome for outcome in outcomes if outcome is not None])


def _shuffled(racers: Sequence[tuple[str, str]], random: Random) -> list[tuple[str, str]]:
    return random.sample(racers, len(racers))


async def _prepare(house: House, kinds: dict[UUID, str]) -> None:
    events = [
        evaluation(identifier, requires_approval=True, required_approvers=1, execution=_execution(kind))
        for identifier, kind in kinds.items()
    ]
    await house.evaluate(*events)
    transactions = Transactions(house.database, house.outbox, house.clock, REDRIVE_AFTER)
    for identifier, kind in kinds.items():
        if kind == "starts":
            await _command(transactions, identifier, "approve", "ada")


def _execution(kind: str) -> Execution:
    return Execution.MANUAL if kind == "starts" else Execution.AUTOMATIC


async def _command(transactions: Transactions, identifier: UUID, name: str, actor: str) -> Outcome:
    async def do(work: Work) -> Promotion | None:
        def decide(promotion: Promotion) -> Transition | None:
            cause = Cause(actor, work.now, {"command": name})
            match name:
                case "approve":
                    vote = Vote(actor, Decision.APPROVE, False, None, work.now)
                    return commands.approve(promotion, vote, cause)
                case "reject":
                    return commands.reject(promotion, Vote(actor, Decision.REJECT, False, "no", work.now), cause)
                case "cancel":
                    return commands.cancel(promotion, reason=None, for_anyone=False, cause=cause)
                case _:
                    return commands.execute(promotion, for_anyone=True, cause=cause)

        return await commanding.command(work, Key(ORGANIZATION, identifier), decide)

    try:
        promotion = await transactions.run(do, organizations=[ORGANIZATION])
    except (TooLate, NotApproved, OwnPromotion) as refusal:
        return Outcome(identifier, name, type(refusal).__name__)
    assert promotion is not None
    return Outcome(identifier, name, f"{promotion.state.status}/{promotion.state.reason}")


async def _bystander(house: House, kinds: dict[UUID, str], random: Random) -> None:
    """Do what the service does by itself meanwhile: repeated evaluations, completions nobody ordered, its loops."""
    some = random.sample(sorted(kinds), min(len(kinds), 10))
    repeated = [
        evaluation(identifier, requires_approval=True, required_approvers=1, execution=_execution(kinds[identifier]))
        for identifier in some
    ]
    for attempt in (
        lambda: house.evaluate(*repeated),
        lambda: _sweep(house),
        lambda: house.complete(*(completion(identifier, source="/executor/other") for identifier in some)),
        lambda: _redrive(house),
    ):
        try:
            await attempt()
        except Exception as error:
            if not (is_conflict(error) or isinstance(error, Overtaken)):
                raise


async def _sweep(house: House) -> None:
    async with house.work() as work:
        await upkeep.sweep(work)


async def _redrive(house: House) -> None:
    async with house.work() as work:
        await upkeep.redrive(work.connection, house.outbox, now=house.now, redrive_after=REDRIVE_AFTER)


async def _double(house: House, kinds: dict[UUID, str], outcomes: Sequence[Outcome]) -> list[str]:
    found: list[str] = []
    decided: dict[UUID, set[str]] = {identifier: set() for identifier in kinds}
    for outcome in outcomes:
        if outcome.won:
            decided[outcome.promotion_id].add(DECISIONS[outcome.command])
    ordered = Counter(
        row.id
        for row in await house.as_owner("SELECT convert_from(value, 'UTF8')::json ->> 'promotion_id' AS id "
                                        "FROM promotion.outbox WHERE topic = 'promotion.approved'")
    )  # fmt: skip
    rows = await house.as_owner(
        "SELECT p.id, p.status, p.version, p.executing_at, count(h.*) AS entries, max(h.version) AS newest "
        "FROM promotion.promotion p JOIN promotion.history h ON h.promotion_id = p.id "
        "WHERE p.id = ANY(:ids) GROUP BY p.organization_id, p.id",
        ids=list(kinds),
    )
    for row in rows:
        won = decided[row.id]
        if len(won) != 1:
            found.append(f"{row.id} was decided as {won or 'nothing'}")
        if {row.status} != won:
            found.append(f"{row.id} is {row.status}, and {won} was told")
        if not row.version == row.entries == row.newest:
            found.append(f"{row.id} is at version {row.version} with {row.entries} entries")
        if bool(ordered[str(row.id)]) != (row.status == "approved") or ordered[str(row.id)] > 1:
            found.append(f"{row.id} is {row.status} and was ordered {ordered[str(row.id)]} times")
    await house.forget_told()
    return found
