"""The journey itself: what is asked of the API, in which order, and what has to come true.

It speaks HTTP alone, as four different people and a build server would.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from schemas.events import event_type
from schemas.resources import Deployment, HistoryEntry, Promotion
from schemas.topics import DEPLOYMENT_COMPLETED
from schemas.vocabulary import PromotionStatus, StatusReason
from studio.client import PromotionClient
from studio.demo.telling import Telling
from studio.local.identities import ORGANIZATION
from studio.local.ready_file import Ready
from studio.problems import NotFound

PATIENCE_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05
_ENDED = frozenset({PromotionStatus.COMPLETED, PromotionStatus.FAILED, PromotionStatus.REJECTED})
AGENT = "support-agent"
VERSION = "2.4.0"


class JourneyFailed(Exception):
    """Something did not come true; the message says what."""


class Journey:
    """One walk from development to production on the stack that ``ready`` describes."""

    def __init__(self, ready: Ready, telling: Telling) -> None:
        self._telling = telling
        self._deployment_id = f"build-{uuid4().hex[:8]}"
        self._publisher = PromotionClient(ready.api, ready.environment["PROMOTION_API_KEY"])
        self._people = {name: PromotionClient(ready.api, key) for name, key in ready.tokens.items()}

    async def walk(self) -> None:
        """Go the whole way; raises JourneyFailed at the first thing that does not come true."""
        await self._deploy_to_development()
        await self._set_rules()
        self._telling.heading("Development → staging: the rule lets it pass")
        staged = await self._promote(self._deployment_id, to="staging", approvers=())
        self._telling.heading("Staging → production: two people have to approve")
        released = await self._promote(
            str(staged.target_deployment_id), to="production", approvers=("approver", "approver2")
        )
        deployment = await self._find_deployment(str(released.target_deployment_id))
        self._telling.step(
            f"{deployment.agent_id} {deployment.version} is {deployment.status} on {deployment.gateway_id} "
            f"as {deployment.deployment_id}"
        )
        if deployment.status != "active" or deployment.environment != "production":
            raise JourneyFailed(f"the deployment should be active in production, but it is: {deployment}")
        self._telling.heading(f"History of promotion {released.id}")
        self._telling.table(await self._people["viewer"].get_history(released.id))

    async def _deploy_to_development(self) -> None:
        self._telling.heading("A build is deployed to development")
        event = {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "/demo/build-server",
            "type": event_type(DEPLOYMENT_COMPLETED),
            "subject": self._deployment_id,
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": {
                "organization_id": ORGANIZATION,
                "deployment_id": self._deployment_id,
                "agent_id": AGENT,
                "environment": "development",
                "gateway_id": "gw-development",
                "version": VERSION,
                "digest": f"sha256:{uuid4().hex}{uuid4().hex}",
                "status": "succeeded",
                "deployed_at": datetime.now(UTC).isoformat(),
            },
        }
        await self._publisher.send_events([event])
        self._telling.step(f"POST /events: {AGENT} {VERSION} runs on gw-development as {self._deployment_id}")
        await self._find_deployment(self._deployment_id)
        self._telling.step("GET /deployments: inventory knows it")

    async def _set_rules(self) -> None:
        self._telling.heading("The rules")
        admin = self._people["admin"]
        for source, target, needs, approvers in (
            ("development", "staging", False, 1),
            ("staging", "production", True, 2),
        ):
            rule = await admin.create_rule(
                {
                    "name": f"demo {self._deployment_id}: {source} to {target}",
                    "source_environment": source,
                    "target_environment": target,
                    "requires_approval": needs,
                    "required_approvers": approvers,
                }
            )
            need = f"{approvers} approvals" if needs else "no approval"
            self._telling.step(f"POST /promotions/rules: {source} → {target} needs {need} (rule {rule.id})")

    async def _promote(self, deployment_id: str, *, to: str, approvers: tuple[str, ...]) -> Promotion:
        promotion = await self._people["requester"].create_promotion(
            {
                "agent_id": AGENT,
                "source_deployment_id": deployment_id,
                "target_gateway_id": f"gw-{to}",
                "target_environment": to,
            }
        )
        self._telling.step(f"POST /promotions: requester asks for {to} (promotion {promotion.id})")
        said = 0
        if approvers:
            promotion, said = await self._follow(promotion, said, until=_waits_for_people)
        for person in approvers:
            await self._people[person].approve(promotion.id)
            self._telling.step(f"POST /promotions/…/approve: {person} approves")
        promotion, said = await self._follow(promotion, said, until=lambda seen: seen.status in _ENDED)
        if promotion.status is not PromotionStatus.COMPLETED:
            raise JourneyFailed(
                f"promotion {promotion.id} ended {promotion.status} ({promotion.status_reason}): "
                f"{promotion.status_message}"
            )
        return promotion

    async def _follow(
        self, promotion: Promotion, said: int, *, until: Callable[[Promotion], bool]
    ) -> tuple[Promotion, int]:
        viewer = self._people["viewer"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            promotion = await viewer.get_promotion(promotion.id)
            entries: list[HistoryEntry] = []
            if promotion.version > said:
                entries = [entry for entry in await viewer.get_history(promotion.id) if entry.version > said]
            for entry in entries:
                self._telling.change(entry)
                said = max(said, entry.version)
            if until(promotion) and said >= promotion.version:
                return promotion, said
            if time.monotonic() > deadline:
                raise JourneyFailed(
                    f"promotion {promotion.id} is still {promotion.status} ({promotion.status_reason}) after "
                    f"{PATIENCE_SECONDS:g} s: {promotion.status_message}"
                )
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _find_deployment(self, deployment_id: str) -> Deployment:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await self._people["viewer"].get_deployment(deployment_id)
            except NotFound:
                if time.monotonic() > deadline:
                    raise JourneyFailed(
                        f"inventory does not know deployment {deployment_id} after {PATIENCE_SECONDS:g} s"
                    ) from None
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _waits_for_people(promotion: Promotion) -> bool:
    return promotion.status_reason is StatusReason.AWAITING_APPROVAL or promotion.status in _ENDED
