"""Races in real PostgreSQL: whoever comes at once, one history results, and nothing is ordered that was not decided."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

from schemas import topics
from schemas.events import PromotionApproved
from schemas.vocabulary import Decision
from services.platform.database import Database
from services.platform.schema_state import role_of
from services.promotion.commanding import Decide, command
from services.promotion.domain import commands
from services.promotion.domain.commands import NotApproved, TooLate
from services.promotion.domain.promotion import Cause, Key, Vote
from services.promotion.http.transactions import Transactions
from services.promotion.work import Work
from tests.integration.promotion.house import ORGANIZATION, REDRIVE_AFTER, START, House, completion, evaluation

PROMOTIONS = 60

ORGANIZATIONS = [f"org-{number}" for number in range(3)]


def transactions(house: House, database: Database) -> Transactions:
    return Transactions(database, house.outbox, house.clock, REDRIVE_AFTER)


async def give(runs: Transactions, identifier: UUID, decide: Decide) -> str:
    async def run(work: Work) -> object:
        return await command(work, Key(ORGANIZATION, identifier), decide)

    try:
        await runs.run(run, organizations=[ORGANIZATION])
    except (TooLate, NotApproved):
        return "refused"
    return "accepted"


def decisions(house: House) -> dict[str, Decide]:
    def voting(voter: str, decision: Decision) -> Vote:
        return Vote(voter, decision, override_conditions=False, reason="race", voted_at=house.now)

    def because(actor: str) -> Cause:
        return Cause(actor, house.now, {})

    return {
        "approve": lambda p: commands.approve(p, voting("ada", Decision.APPROVE), because("ada")),
        "approve too": lambda p: commands.approve(p, voting("bob", Decision.APPROVE), because("bob")),
        "reject": lambda p: commands.reject(p, voting("eve", Decision.REJECT), because("eve")),
        "cancel": lambda p: commands.cancel(p, reason=None, for_anyone=False, cause=because("rita")),
        "execute": lambda p: commands.execute(p, for_anyone=True, cause=because("alma")),
    }


async def test_racing_commands_leave_one_decision_and_execute_only_what_was_approved(house: House) -> None:
    identifiers = [uuid4() for _ in range(PROMOTIONS)]
    await house.evaluate(*(evaluation(i, requires_approval=True, required_approvers=2) for i in identifiers))
    elsewhere = Database(
        house.dsn, role=role_of("promotion"), application_name="elsewhere", pool_size=8, every_organization=True
    )
    runs = [transactions(house, house.database), transactions(house, elsewhere)]
    given = [(identifier, name) for identifier in identifiers for name in decisions(house)]
    random.Random(7).shuffle(given)

    async def worker(number: int) -> Counter[tuple[UUID, str, str]]:
        answers: Counter[tuple[UUID, str, str]] = Counter()
        for identifier, name in given[number::12]:
            answer = await give(runs[number % 2], identifier, decisions(house)[name])
            answers[identifier, name, answer] += 1
        return answers

    answers = sum(await asyncio.gather(*(worker(number) for number in range(12))), Counter())
    await elsewhere.close()

    orders = {
        e.data.promotion_id
        for e in await house.told(topics.PROMOTION_APPROVED)
        if isinstance(e.data, PromotionApproved)
    }
    ends = Counter[str]()
    for identifier in identifiers:
        standing, story = await house.standing(identifier), await house.story(identifier)
        ends[standing] += 1
        approved = answers[identifier, "approve", "accepted"] + answers[identifier, "approve too", "accepted"]
        ended = answers[identifier, "reject", "accepted"] + answers[identifier, "cancel", "accepted"]
        assert (standing == "approved/executing") == (approved == 2) == (identifier in orders)
        assert ended == (standing in {"rejected/rejected", "rejected/cancelled"})
        assert len([entry for entry in story if entry.startswith("rejected/")]) == ended
    assert set(ends) == {"approved/executing", "rejected/rejected", "rejected/cancelled"}, ends
    assert await house.broken_link() is None


async def test_batches_in_any_order_at_once_end_like_one_after_the_other(house: House) -> None:
    seeded = random.Random(11)
    agents = [f"agent-{n}" for n in range(8)]
    placed = {uuid4(): seeded.choice(agents) for _ in range(80)}
    events = [
        evaluation(i, agent_id=a, organization_id=f"org-{n % 3}", created_at=START + timedelta(seconds=n))
        for n, (i, a) in enumerate(placed.items())
    ]
    ends = [completion(i, agent_id=a, organization_id=f"org-{n % 3}") for n, (i, a) in enumerate(placed.items())]
    runs = transactions(house, house.database)

    async def consumer(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(4):
            batch = order.sample(events, 30) if seed % 2 else order.sample(ends, 30)
            apply = house.applying_evaluations(batch) if seed % 2 else house.applying_completions(batch)
            await runs.run(apply, organizations=ORGANIZATIONS)

    await asyncio.gather(*(consumer(seed) for seed in range(8)))
    for _ in range(len(placed)):
        await runs.run(house.applying_evaluations(events), organizations=ORGANIZATIONS)
        await runs.run(house.applying_completions(ends), organizations=ORGANIZATIONS)

    told = await house.told(topics.PROMOTION_APPROVED)
    assert len({event.id for event in told}) == len(told)
    for number, identifier in enumerate(placed):
        assert await house.standing(identifier, f"org-{number % 3}") in {"completed/deployed", "rejected/superseded"}
        await house.story(identifier, f"org-{number % 3}")
    for organization in ("org-0", "org-1", "org-2"):
        assert await house.broken_link(organization) is None
