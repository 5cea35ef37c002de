"""POST /promotions: concurrent requests share a transaction; each gets its own answer."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from schemas import resources
from schemas.vocabulary import Role
from services.platform import tracing
from services.platform.http.authentication import require_in, requires
from services.platform.http.preferences import wait_seconds
from services.platform.http.pressure import Room
from services.platform.http.problems import Problem, documented, field_error
from services.platform.identity import Principal
from services.promotion import creation
from services.promotion import tracing as spans
from services.promotion.coalesce import Coalescer
from services.promotion.creation import Created, Creation, Ineligible, KeyReused, Outcome, Repeated, UnderWay
from services.promotion.domain.eligibility import Asked
from services.promotion.domain.lifecycle import EVALUATING
from services.promotion.domain.promotion import Key, Promotion
from services.promotion.http.headers import idempotency_key, require_own, traceparent
from services.promotion.http.transactions import Transactions
from services.promotion.http.watch import Watch
from services.promotion.present import promotion_resource
from services.promotion.work import Work

# Transactions that create begin no closer than this. It costs who comes among many half of it, and spares each hop
# after it most of its batches, so that all of them are completed sooner.
GATHER_SECONDS = 0.06

Requester = Annotated[Principal, Depends(requires(Role.REQUESTER, somewhere=True))]
PreferHeader = Annotated[str | None, Header(description="`wait=N` waits up to N seconds, 60 at most.")]


def add_routes(routes: APIRouter, transactions: Transactions, watch: Watch) -> None:
    """Add the route that creates."""

    async def create_together(creations: Sequence[Creation]) -> Sequence[Outcome]:
        async def create(work: Work) -> Sequence[Outcome]:
            return await creation.create(work, creations)

        return await transactions.run(create, organizations={one.organization_id for one in creations})

    coalescer = Coalescer(create_together, pace_seconds=GATHER_SECONDS)

    @routes.post("/promotions", status_code=201, responses=_DOCUMENTED)
    async def create_promotion(
        request: Request,
        caller: Requester,
        _room: Room,
        body: resources.PromotionCreate,
        response: Response,
        idempotency_key_header: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
        prefer: PreferHeader = None,
        traceparent_header: Annotated[str | None, Header(alias="traceparent")] = None,
    ) -> resources.Promotion:
        """Ask for a promotion. A repeat with the same Idempotency-Key is answered 200 as the first one was.

        Without a target gateway it goes to the one where the agent runs in the target environment, else to the
        environment's only gateway, else to its default one.
        """
        require_in(caller, body.target_environment, Role.REQUESTER)
        require_own(caller, organization_id=body.organization_id, created_by=body.created_by)
        trace, began_at = traceparent(traceparent_header), transactions.clock()
        wanted = _creation(caller, body, idempotency_key(idempotency_key_header), trace)
        if tracing.is_on():
            key = Key(wanted.organization_id, wanted.id)
            wanted = replace(wanted, traceparent=spans.asked(key, trace))
        outcome = await coalescer.submit(wanted)
        location = f"{request.url.path.rstrip('/')}/"
        if isinstance(outcome, Repeated):
            return _repeated(outcome, location)  # type: ignore[return-value]
        promotion = _created(outcome, body)
        if tracing.is_on():
            spans.emit_creation(promotion, trace, began_at=began_at)
        response.headers["Location"] = f"{location}{promotion.request.id}"
        seconds = wait_seconds(prefer)
        if seconds:
            response.headers["Preference-Applied"] = f"wait={seconds}"
        return promotion_resource(await watch.until(promotion, _evaluated, seconds=seconds))


_DOCUMENTED = {
    200: {"model": resources.Promotion, "description": "It was created before, with the same Idempotency-Key."},
    **documented(409, 422, 429),
}


def _evaluated(promotion: Promotion) -> bool:
    return promotion.state != EVALUATING


def _creation(caller: Principal, body: resources.PromotionCreate, key: str | None, trace: str | None) -> Creation:
    asked = Asked(body.agent_id, body.source_deployment_id, body.target_gateway_id, body.target_environment)
    return Creation(
        id=uuid4(),
        organization_id=caller.organization_id,
        asked=asked,
        created_by=caller.subject,
        via=caller.via,
        key=key,
        # The same words of somebody else are another request.
        body_hash=hashlib.sha256(repr((caller.subject, asked)).encode()).digest(),
        traceparent=trace,
    )


def _repeated(outcome: Repeated, location: str) -> Response:
    headers = {"Location": f"{location}{outcome.promotion_id}", "Idempotency-Replayed": "true"}
    return Response(outcome.answer, 200, headers=headers, media_type=JSONResponse.media_type)


def _created(outcome: Outcome, body: resources.PromotionCreate) -> Promotion:
    match outcome:
        case Created(promotion):
            return promotion
        case Ineligible(faults):
            errors = [field_error(f"/{fault.field}", fault.code, fault.message, fault.hint) for fault in faults]
            raise Problem(422, "not_eligible", f"{errors[0]['path']}: {errors[0]['message']}", errors=errors)
        case UnderWay(first):
            raise Problem(
                409,
                "already_under_way",
                f"promotion {first} of deployment {body.source_deployment_id!r} to the same gateway is under way; "
                "wait for its end or cancel it",
                extra={"promotion_id": str(first)},
            )
        case KeyReused(first):
            raise Problem(
                422,
                "idempotency_key_reused",
                "this Idempotency-Key came before with another request; send a fresh one",
                extra={} if first is None else {"promotion_id": str(first)},
            )
        case Repeated():
            raise TypeError("a repeat has its answer already")
