"""What a vote is for: one deployment, its content, one gateway and environment, and the rules that applied.

When any of that changes, the votes that were cast for it before count no more.
"""

import hashlib
from dataclasses import replace

from pydantic_core import to_json

from services.promotion.domain.promotion import Promotion, Vote


def binding(promotion: Promotion) -> str | None:
    """Give the SHA-256 of what is voted on, in hexadecimal; None until the rules have been asked."""
    if promotion.evaluation is None:
        return None
    request = promotion.request
    rules = sorted([str(rule.rule_id), rule.version] for rule in promotion.evaluation.rules)
    voted_on = [
        "promotion approval v1", request.organization_id, request.agent_id, request.source_deployment_id,
        promotion.deployment_version, promotion.digest, promotion.target_gateway_id, request.target_environment, rules,
    ]  # fmt: skip
    return hashlib.sha256(to_json(voted_on)).hexdigest()


def bound(promotion: Promotion) -> tuple[Vote, ...]:
    """Give the votes with those that came before the first evaluation bound to what it found."""
    if not promotion.votes:
        return ()
    now = binding(promotion)
    return tuple(replace(vote, binds=now) if vote.binds is None else vote for vote in promotion.votes)


def counted(promotion: Promotion) -> tuple[Vote, ...]:
    """Give the votes that count: every veto, and approvals for what the promotion is now, by credentials still good."""
    if not promotion.votes:
        return ()
    now = binding(promotion)
    return tuple(vote for vote in promotion.votes if vote.is_veto or (vote.binds == now and not vote.revoked))
