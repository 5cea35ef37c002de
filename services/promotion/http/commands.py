"""Approve, reject, cancel, execute: the same command by the same person again changes nothing; too late is a 409."""

from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Body, Depends, Response

from schemas import resources
from schemas.vocabulary import Decision, PromotionStatus, Role
from services.platform import tracing
from services.platform.http.authentication import require_in, requires
from services.platform.http.preferences import wait_seconds
from services.platform.http.problems import Problem, documented, invalid, not_found
from services.platform.identity import Principal
from services.platform.telemetry import GLASS_BROKEN
from services.promotion import commanding
from services.promotion import tracing as spans
from services.promotion.domain import commands, lifecycle
from services.promotion.domain.commands import NotApproved, NotYours, OwnPromotion, TooLate
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Cause, Key, Promotion, Vote
from services.promotion.http.creation import PreferHeader
from services.promotion.http.headers import require_own
from services.promotion.http.reading import PromotionId
from services.promotion.http.transactions import Transactions
from services.promotion.http.watch import Watch
from services.promotion.present import promotion_resource
from services.promotion.work import Work

Approver = Annotated[Principal, Depends(requires(Role.APPROVER, somewhere=True))]
Requester = Annotated[Principal, Depends(requires(Role.REQUESTER, somewhere=True))]
Admin = Annotated[Principal, Depends(requires(Role.ADMIN, somewhere=True))]
Starter = Annotated[Principal, Depends(requires(Role.EXECUTOR, Role.REQUESTER, somewhere=True))]
_log = structlog.get_logger()
_PROBLEMS = documented(403, 404, 409, 422)
# Commands whose route is not called as they are.
_ROUTES = {"break the glass for": "break-glass"}


def add_routes(routes: APIRouter, transactions: Transactions, watch: Watch) -> None:
    """Add the commands."""
    _add_votes(routes, transactions)
    _add_break_glass(routes, transactions)
    _add_cancel(routes, transactions)
    _add_execute(routes, transactions, watch)


def _add_votes(routes: APIRouter, transactions: Transactions) -> None:
    @routes.post("/promotions/{promotion_id:uuid}/approve", responses=_PROBLEMS)
    async def approve_promotion(
        caller: Approver, promotion_id: PromotionId, body: Annotated[resources.Approve | None, Body()] = None
    ) -> resources.Promotion:
        """Vote for a promotion; with ``override_conditions`` and a reason also where its conditions do not hold."""
        wish = body or resources.Approve()
        require_own(caller, approver_id=wish.approver_id)
        if wish.override_conditions and wish.reason is None:
            raise invalid("/reason", "missing", "is missing", "say why the conditions may be overridden")

        def decide(promotion: Promotion, work: Work) -> Transition | None:
            require_in(caller, promotion.request.target_environment, Role.APPROVER)
            vote = Vote(
                caller.subject, Decision.APPROVE, wish.override_conditions, wish.reason, work.now, via=caller.via,
                key_id=caller.key_id,
            )  # fmt: skip
            return commands.approve(promotion, vote, _cause(caller, work, _evidence(vote)))

        return promotion_resource(await _command(transactions, caller, promotion_id, "approve", decide))

    @routes.post("/promotions/{promotion_id:uuid}/reject", responses=_PROBLEMS)
    async def reject_promotion(
        caller: Approver, promotion_id: PromotionId, body: resources.Reject
    ) -> resources.Promotion:
        """Vote against a promotion: it ends."""
        require_own(caller, approver_id=body.approver_id)

        def decide(promotion: Promotion, work: Work) -> Transition | None:
            require_in(caller, promotion.request.target_environment, Role.APPROVER)
            vote = Vote(
                caller.subject, Decision.REJECT, override_conditions=False, reason=body.reason, voted_at=work.now,
                via=caller.via, key_id=caller.key_id,
            )  # fmt: skip
            return commands.reject(promotion, vote, _cause(caller, work, _evidence(vote)))

        return promotion_resource(await _command(transactions, caller, promotion_id, "reject", decide))


def _add_break_glass(routes: APIRouter, transactions: Transactions) -> None:
    @routes.post("/promotions/{promotion_id:uuid}/break-glass", responses=_PROBLEMS)
    async def break_glass(caller: Admin, promotion_id: PromotionId, body: resources.BreakGlass) -> resources.Promotion:
        """Approve a promotion alone, whatever its rules ask for, your own too; it stands out wherever it is told."""
        broken = False

        def decide(promotion: Promotion, work: Work) -> Transition | None:
            nonlocal broken
            require_in(caller, promotion.request.target_environment, Role.ADMIN)
            vote = Vote(
                caller.subject, Decision.APPROVE, override_conditions=True, reason=body.reason, voted_at=work.now,
                via=caller.via, key_id=caller.key_id, breaks_glass=True,
            )  # fmt: skip
            step = commands.break_glass(promotion, vote, _cause(caller, work, _evidence(vote)))
            broken = step is not None
            return step

        promotion = await _command(transactions, caller, promotion_id, "break the glass for", decide)
        if broken:
            GLASS_BROKEN.inc()
            _log.warning("glass broken", promotion_id=str(promotion_id), actor=caller.subject, key_id=caller.key_id)
        return promotion_resource(promotion)


def _add_cancel(routes: APIRouter, transactions: Transactions) -> None:
    @routes.post("/promotions/{promotion_id:uuid}/cancel", responses=_PROBLEMS)
    async def cancel_promotion(
        caller: Requester, promotion_id: PromotionId, body: Annotated[resources.Cancel | None, Body()] = None
    ) -> resources.Promotion:
        """Take back a promotion of your own that does not execute yet; administrators may cancel any."""
        reason = None if body is None else body.reason

        def decide(promotion: Promotion, work: Work) -> Transition | None:
            environment = promotion.request.target_environment
            require_in(caller, environment, Role.REQUESTER)
            for_anyone = caller.may(Role.ADMIN, environment=environment)
            cause = _cause(caller, work, {"command": "cancel", "reason": reason})
            return commands.cancel(promotion, reason=reason, for_anyone=for_anyone, cause=cause)

        return promotion_resource(await _command(transactions, caller, promotion_id, "cancel", decide))


def _add_execute(routes: APIRouter, transactions: Transactions, watch: Watch) -> None:
    @routes.post("/promotions/{promotion_id:uuid}/execute", responses=_EXECUTE)
    async def execute_promotion(
        caller: Starter, promotion_id: PromotionId, response: Response, prefer: PreferHeader = None
    ) -> resources.Promotion:
        """Start an approved promotion, yours or with the role executor: 202 if it starts now, 200 if it did before."""
        started = False

        def decide(promotion: Promotion, work: Work) -> Transition | None:
            nonlocal started
            environment = promotion.request.target_environment
            require_in(caller, environment, Role.EXECUTOR, Role.REQUESTER)
            for_anyone = caller.may(Role.EXECUTOR, environment=environment)
            started = promotion.state in lifecycle.HELD
            return commands.execute(
                promotion, for_anyone=for_anyone, cause=_cause(caller, work, {"command": "execute"})
            )

        promotion = await _command(transactions, caller, promotion_id, "execute", decide)
        seconds = wait_seconds(prefer)
        if seconds:
            response.headers["Preference-Applied"] = f"wait={seconds}"
            promotion = await watch.until(promotion, _ended, seconds=seconds)
        under_way = promotion.state.status is PromotionStatus.APPROVED
        response.status_code = 202 if started and under_way else 200
        return promotion_resource(promotion)


_EXECUTE: dict[int | str, dict[str, Any]] = {
    202: {"model": resources.Promotion, "description": "It starts, or will when its slot and its conditions allow."},
    **_PROBLEMS,
}


def _ended(promotion: Promotion) -> bool:
    return promotion.state in lifecycle.TERMINAL


def _cause(caller: Principal, work: Work, evidence: dict[str, object]) -> Cause:
    return Cause(caller.subject, work.now, evidence, via=caller.via)


def _evidence(vote: Vote) -> dict[str, object]:
    return {
        "vote": vote.decision.value,
        "override_conditions": vote.override_conditions,
        "reason": vote.reason,
        **({"break_glass": True} if vote.breaks_glass else {}),
    }


async def _command(
    transactions: Transactions, caller: Principal, promotion_id: UUID, name: str, decide: Any
) -> Promotion:
    async def run(work: Work) -> Promotion | None:
        key = Key(caller.organization_id, promotion_id)
        return await commanding.command(work, key, lambda promotion: decided(promotion, work))

    def decided(promotion: Promotion, work: Work) -> Transition | None:
        step: Transition | None = decide(promotion, work)
        return spans.commanded(step, _ROUTES.get(name, name)) if step is not None and tracing.is_on() else step

    try:
        promotion = await transactions.run(run, organizations=(caller.organization_id,))
    except TooLate as late:
        raise _conflict("too_late", late, late.promotion) from None
    except NotApproved as early:
        raise _conflict("not_approved", early, early.promotion) from None
    except OwnPromotion as own:
        raise Problem(403, "own_promotion", str(own)) from None
    except NotYours as foreign:
        raise Problem(403, "forbidden", str(foreign)) from None
    if promotion is None:
        raise not_found("promotion", promotion_id)
    if promotion.state == lifecycle.EXPIRED:
        raise _conflict("too_late", TooLate(name, promotion), promotion)
    return promotion


def _conflict(code: str, error: Exception, promotion: Promotion) -> Problem:
    current = promotion_resource(promotion).model_dump(mode="json")
    return Problem(409, code, str(error), extra={"promotion": current})
