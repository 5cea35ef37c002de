"""What a gateway hosts, as a fold of effects: decide names the effects of a request, apply takes them in.

Nothing here reads a clock, a file or a socket. A slot is the stack of its deployments in the order in which
they went live: the top is live, so that two can never be, and fencing it brings back the one beneath.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is to run: the body of a PUT, compared whole when a key is repeated."""

    organization_id: str
    agent_id: str
    version: str
    digest: str | None
    environment: str
    gateway_id: str
    source_deployment_id: str

    @property
    def slot(self) -> tuple[str, str]:
        """Organization and agent; the third part of a slot is this gateway."""
        return (self.organization_id, self.agent_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One version of an agent on this gateway; `deployment_id` is the promotion id, the request's key."""

    deployment_id: str
    content: Content
    deployed_at: datetime
    retired_at: datetime | None = None

    @property
    def status(self) -> Literal["live", "retired"]:
        """Live, or retired by a later deployment of its slot."""
        return "live" if self.retired_at is None else "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A deployment went live and, in the same act, `retires` the one that was live in its slot."""

    key: str
    content: Content
    retires: str | None
    at: datetime
    kind: Literal["created"] = "created"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """The key answers 410 for ever. `removes`: it had a deployment; `revives`: the one that is live again."""

    key: str
    removes: bool
    revives: str | None
    at: datetime
    kind: Literal["fenced"] = "fenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRaised:
    """A higher fencing token was seen for the key."""

    key: str
    token: int
    at: datetime
    kind: Literal["token_raised"] = "token_raised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A fault took all that was known of the key: deployment, fence and token, as an old backup would."""

    key: str
    revives: str | None
    at: datetime
    kind: Literal["forgotten"] = "forgotten"


Effect = Created | Fenced | TokenRaised | Forgotten
PutOutcome = Literal["created", "unchanged", "content_mismatch", "stale_fencing_token", "fenced"]
DeleteOutcome = Literal["fenced", "stale_fencing_token"]


@dataclass(slots=True)
class GatewayState:
    """Everything a gateway remembers. Only `apply` changes it."""

    deployments: dict[str, Deployment] = field(default_factory=dict)
    slots: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    fenced: set[str] = field(default_factory=set)
    tokens: dict[str, int] = field(default_factory=dict)

    def live(self, slot: tuple[str, str]) -> Deployment | None:
        """The deployment that serves the slot, if any does."""
        keys = self.slots.get(slot)
        return self.deployments[keys[-1]] if keys else None

    def live_by_slot(self) -> dict[tuple[str, str], Deployment]:
        """Every slot that is served, with the deployment that serves it."""
        return {slot: self.deployments[keys[-1]] for slot, keys in self.slots.items()}


def decide_put(
    state: GatewayState, key: str, content: Content, *, token: int | None, at: datetime
) -> tuple[PutOutcome, tuple[Effect, ...]]:
    """What a PUT comes to: a fence outranks the token, and the token outranks the content."""
    if key in state.fenced:
        return "fenced", ()
    if _is_stale(state, key, token):
        return "stale_fencing_token", ()
    raised = _token_effects(state, key, token, at)
    existing = state.deployments.get(key)
    if existing is not None:
        return ("unchanged" if existing.content == content else "content_mismatch"), raised
    live = state.live(content.slot)
    retires = live.deployment_id if live else None
    return "created", (*raised, Created(key=key, content=content, retires=retires, at=at))


def decide_delete(
    state: GatewayState, key: str, *, token: int | None, at: datetime
) -> tuple[DeleteOutcome, tuple[Effect, ...]]:
    """What a DELETE comes to: the key is fenced whether or not a deployment was there, and stays so."""
    if key in state.fenced:
        return "fenced", ()
    if _is_stale(state, key, token):
        return "stale_fencing_token", ()
    fence = Fenced(key=key, removes=key in state.deployments, revives=_beneath(state, key), at=at)
    return "fenced", (*_token_effects(state, key, token, at), fence)


def decide_forget(state: GatewayState, key: str, *, at: datetime) -> tuple[Effect, ...]:
    """What the fault `forget` comes to: nothing for a key that was never seen."""
    if key in state.deployments or key in state.fenced or key in state.tokens:
        return (Forgotten(key=key, revives=_beneath(state, key), at=at),)
    return ()


def apply(state: GatewayState, effect: Effect) -> None:
    """Take one effect in. Live or replayed from the log, the same effects give the same state."""
    match effect:
        case Created():
            _retire(state, effect.retires, effect.at)
            state.deployments[effect.key] = Deployment(
                deployment_id=effect.key, content=effect.content, deployed_at=effect.at
            )
            state.slots.setdefault(effect.content.slot, []).append(effect.key)
        case Fenced():
            _remove(state, effect.key, revives=effect.revives)
            state.tokens.pop(effect.key, None)
            state.fenced.add(effect.key)
        case Forgotten():
            _remove(state, effect.key, revives=effect.revives)
            state.tokens.pop(effect.key, None)
            state.fenced.discard(effect.key)
        case TokenRaised():
            state.tokens[effect.key] = effect.token


def _is_stale(state: GatewayState, key: str, token: int | None) -> bool:
    return token is not None and token < state.tokens.get(key, 0)


def _token_effects(state: GatewayState, key: str, token: int | None, at: datetime) -> tuple[Effect, ...]:
    if token is None or token <= state.tokens.get(key, 0):
        return ()
    return (TokenRaised(key=key, token=token, at=at),)


def _beneath(state: GatewayState, key: str) -> str | None:
    """The deployment that comes back when this one goes: only the top of a slot uncovers another."""
    deployment = state.deployments.get(key)
    if deployment is None:
        return None
    keys = state.slots[deployment.content.slot]
    return keys[-2] if keys[-1] == key and len(keys) > 1 else None


def _retire(state: GatewayState, key: str | None, at: datetime) -> None:
    if key is not None:
        state.deployments[key] = replace(state.deployments[key], retired_at=at)


def _remove(state: GatewayState, key: str, *, revives: str | None) -> None:
    deployment = state.deployments.pop(key, None)
    if deployment is None:
        return
    keys = state.slots[deployment.content.slot]
    keys.remove(key)
    if not keys:
        del state.slots[deployment.content.slot]
    if revives is not None:
        state.deployments[revives] = replace(state.deployments[revives], retired_at=None)
