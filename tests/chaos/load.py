"""The load: announces deployments, asks for promotions over HTTP and Kafka, decides, and repeats itself."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from random import Random
from typing import Any
from uuid import UUID, uuid5

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import Event, PromotionRequested, event_source
from schemas.identifiers import NAMESPACE
from services.platform.messaging.producer import Publisher, PublishFailed
from tests.chaos.database import Database
from tests.chaos.people import PATIENCE_SECONDS, NoClearAnswer, People
from tests.chaos.schedule import Decision, Door, Plan

ORGANIZATION = "acme"
UPSTREAM = "upstream"
# An upstream service that sees nothing of what it published sends it again.
_SENT_AGAIN_SECONDS = 4.0
_LOOK_SECONDS = 0.2
_AT_ONCE = 24
_EVENTS_A_CALL = 50
_SPREAD_SECONDS = 2.0


def asked_for(plan: Plan, seed: int) -> UUID:
    """Give the id under which a promotion is asked for over Kafka."""
    return uuid5(NAMESPACE, f"chaos {seed} {plan.number}")


class Load:
    """Carries plans out; ``promotions`` fills with the id of each plan's promotion as its client learns it."""

    def __init__(self, people: People, database: Database, bootstrap_servers: Callable[[], str], *, seed: int) -> None:
        self.promotions: dict[int, UUID] = {}
        self.given_up: list[str] = []
        self.resent = 0
        self._people = people
        self._database = database
        self._publisher = Publisher(bootstrap_servers, service="upstream", timeout_seconds=5)
        self._publishing = asyncio.Lock()
        self._seed = seed
        self._lanes = asyncio.Semaphore(_AT_ONCE)

    async def carry_out(self, plans: Sequence[Plan], asking: asyncio.Event) -> None:
        """Do all of ``plans``; what nobody gets a clear answer to is noted and given up.

        ``asking`` is set when the deployments are known and promotions begin to be asked for.
        """
        early = [plan for plan in plans if plan.door is Door.EARLY]
        known = [plan for plan in plans if plan.door is not Door.EARLY]
        await asyncio.gather(self._announced_later(early), self._announced_first(known, asking))

    async def publish(self, records: Sequence[EncodedRecord]) -> None:
        """Publish until the broker acknowledges; like any client, maybe twice."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        async with self._publishing:
            while True:
                try:
                    await self._publisher.publish(records)
                except PublishFailed as error:
                    if time.monotonic() > deadline:
                        raise NoClearAnswer(f"the broker takes nothing: {error}") from error
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    return

    async def close(self) -> None:
        await self._publisher.close()

    async def _announced_first(self, plans: Sequence[Plan], asking: asyncio.Event) -> None:
        try:
            await self.announce(plans)
        except NoClearAnswer as trouble:
            self.given_up += [f"plan {plan.number}: not announced: {trouble}" for plan in plans]
            return
        finally:
            asking.set()
        await self.ask(plans)

    async def _announced_later(self, plans: Sequence[Plan]) -> None:
        asking = asyncio.create_task(self.ask(plans))
        await asyncio.sleep(_SPREAD_SECONDS)
        try:
            await self.announce(plans)
        except NoClearAnswer as trouble:
            self.given_up += [f"plan {plan.number}: not announced: {trouble}" for plan in plans]
        await asking

    async def ask(self, plans: Iterable[Plan]) -> None:
        """Ask for all of ``plans`` and decide them; their deployments have been announced, or soon will be."""
        await asyncio.gather(*(self._one(plan) for plan in plans))

    async def _one(self, plan: Plan) -> None:
        random = Random(f"{self._seed} {plan.number}")
        await asyncio.sleep(random.uniform(0, _SPREAD_SECONDS))
        try:
            async with self._lanes:
                await (self._ask_over_http(plan) if plan.door is Door.HTTP else self._ask_over_kafka(plan))
            for _, turn in groupby(plan.decisions, key=lambda decision: decision.turn):
                await asyncio.gather(*(self._decide(plan, decision) for decision in turn))
        except NoClearAnswer as trouble:
            self.given_up.append(f"plan {plan.number}: {trouble}")

    async def _ask_over_http(self, plan: Plan) -> None:
        body = {
            "agent_id": plan.agent_id,
            "source_deployment_id": plan.deployment_id,
            "target_gateway_id": plan.target_gateway_id,
            "target_environment": plan.target_environment,
        }
        headers = {"Idempotency-Key": f"chaos-{plan.number}"}
        for _ in range(plan.sent):
            told = await self._people.call(
                "requester", "/promotions", body, plan=plan.number, command="create", headers=headers
            )
            if told.promotion_id is None:
                raise NoClearAnswer(f"refused with {told.status}: {told.body}")
            self.promotions.setdefault(plan.number, UUID(told.promotion_id))

    async def _ask_over_kafka(self, plan: Plan) -> None:
        identifier = asked_for(plan, self._seed)
        record = _request(plan, identifier)
        await self.publish([record] * plan.sent)
        self.promotions[plan.number] = identifier
        query = "SELECT count(*) FROM promotion.promotion WHERE id = $1"
        published, deadline = time.monotonic(), time.monotonic() + PATIENCE_SECONDS
        while not await self._database.number(query, identifier):
            if time.monotonic() > deadline:
                raise NoClearAnswer(f"{identifier}, asked for over Kafka, never appeared")
            if time.monotonic() - published > _SENT_AGAIN_SECONDS:
                self.resent += 1
                await self.publish([record])
                published = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _decide(self, plan: Plan, decision: Decision) -> None:
        body = {"reason": "chaos"} if decision.command in {"reject", "cancel"} else {}
        await self._people.call(
            decision.actor,
            f"/promotions/{self.promotions[plan.number]}/{decision.command}",
            body,
            plan=plan.number,
            command=decision.command,
        )

    async def announce(self, plans: Sequence[Plan]) -> None:
        """Hand in that the deployments run, again until inventory shows them, as an upstream service would."""
        missing = {plan.deployment_id: plan for plan in plans}
        deadline, posted = time.monotonic() + PATIENCE_SECONDS, -_SENT_AGAIN_SECONDS
        events = {plan.deployment_id: _announcement(plan) for plan in plans}
        query = "SELECT deployment_id FROM inventory.published_deployment WHERE deployment_id = ANY($1)"
        while missing:
            if time.monotonic() > deadline:
                raise NoClearAnswer(f"inventory never showed {sorted(missing)}")
            if time.monotonic() - posted >= _SENT_AGAIN_SECONDS:
                posted = time.monotonic()
                await self._post([events[name] for name in missing])
            await asyncio.sleep(_LOOK_SECONDS / 2)
            for row in await self._database.rows(query, list(missing)):
                del missing[row["deployment_id"]]

    async def _post(self, events: Sequence[object]) -> None:
        kind = {"Content-Type": "application/cloudevents-batch+json"}
        for start in range(0, len(events), _EVENTS_A_CALL):
            told = await self._people.call(
                "admin", "/events", events[start : start + _EVENTS_A_CALL], plan=-1, command="announce", headers=kind
            )
            if not told.accepted:
                raise NoClearAnswer(f"events were refused with {told.status}: {told.body}")


def _announcement(plan: Plan) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "specversion": "1.0",
        "id": f"announce-{plan.deployment_id}",
        "source": "/upstream/acme",
        "type": "studio.deployment.completed.v1",
        "time": now,
        "data": {
            "organization_id": ORGANIZATION,
            "deployment_id": plan.deployment_id,
            "agent_id": plan.agent_id,
            "environment": plan.source_environment,
            "gateway_id": plan.source_gateway_id,
            "version": f"1.{plan.number}.0",
            "status": "succeeded",
            "deployed_at": now,
        },
    }


def _request(plan: Plan, identifier: UUID) -> EncodedRecord:
    now = datetime.now(UTC)
    data = PromotionRequested(
        organization_id=ORGANIZATION,
        promotion_id=identifier,
        agent_id=plan.agent_id,
        source_deployment_id=plan.deployment_id,
        target_gateway_id=plan.target_gateway_id,
        target_environment=plan.target_environment,
        created_by=UPSTREAM,
        created_at=now,
    )
    return encode(
        Event(
            topic=topics.PROMOTION_REQUESTED,
            key=str(identifier),
            id=f"asked-{identifier}",
            source=event_source("upstream", ORGANIZATION),
            subject=str(identifier),
            time=now,
            data=data,
        )
    )
