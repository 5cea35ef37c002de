"""Every transition of the gateway's state, and what holds after any sequence of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from studio.gateway.records import EffectApplied, fold
from studio.gateway.state import (
    Content,
    Created,
    Effect,
    Fenced,
    Forgotten,
    GatewayState,
    TokenRaised,
    apply,
    decide_delete,
    decide_forget,
    decide_put,
)

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
V1 = Content(
    organization_id="acme",
    agent_id="agent-1",
    version="1",
    digest="sha256:1",
    environment="staging",
    gateway_id="gw-staging",
    source_deployment_id="dep-1",
)
V2 = replace(V1, version="2", digest="sha256:2", source_deployment_id="dep-2")


def put(state: GatewayState, key: str, content: Content = V1, *, token: int | None = None, at: datetime = NOON) -> str:
    outcome, effects = decide_put(state, key, content, token=token, at=at)
    take(state, effects)
    return outcome


def delete(state: GatewayState, key: str, *, token: int | None = None, at: datetime = NOON) -> str:
    outcome, effects = decide_delete(state, key, token=token, at=at)
    take(state, effects)
    return outcome


def take(state: GatewayState, effects: Iterable[Effect]) -> None:
    for effect in effects:
        apply(state, effect)


def live_key(state: GatewayState, content: Content = V1) -> str | None:
    live = state.live(content.slot)
    return live.deployment_id if live else None


def test_a_new_key_goes_live_and_names_nothing_to_retire_in_an_empty_slot() -> None:
    state = GatewayState()

    outcome, effects = decide_put(state, "p1", V1, token=None, at=NOON)

    assert outcome == "created"
    assert effects == (Created(key="p1", content=V1, retires=None, at=NOON),)


def test_the_next_key_of_a_slot_retires_the_live_one_in_the_same_effect() -> None:
    state = GatewayState()
    put(state, "p1")

    outcome, effects = decide_put(state, "p2", V2, token=None, at=LATER)
    take(state, effects)

    assert outcome == "created"
    assert effects == (Created(key="p2", content=V2, retires="p1", at=LATER),)
    assert live_key(state) == "p2"
    assert state.deployments["p1"].status == "retired"
    assert state.deployments["p1"].retired_at == LATER


def test_deployments_of_other_agents_and_organizations_live_side_by_side() -> None:
    state = GatewayState()
    contents = [V1, replace(V1, agent_id="agent-2"), replace(V1, organization_id="globex")]

    outcomes = [put(state, f"p{number}", content) for number, content in enumerate(contents)]

    assert outcomes == ["created"] * 3
    assert [live_key(state, content) for content in contents] == ["p0", "p1", "p2"]


def test_a_repeat_with_the_same_content_changes_nothing() -> None:
    state = GatewayState()
    put(state, "p1")

    assert decide_put(state, "p1", V1, token=None, at=LATER) == ("unchanged", ())


def test_a_repeat_after_retirement_does_not_take_the_slot_back() -> None:
    state = GatewayState()
    put(state, "p1")
    put(state, "p2", V2)

    outcome = put(state, "p1")

    assert outcome == "unchanged"
    assert live_key(state) == "p2"


@pytest.mark.parametrize("field", Content.__dataclass_fields__)
def test_a_repeat_that_differs_in_any_field_is_a_mismatch(field: str) -> None:
    state = GatewayState()
    put(state, "p1")

    assert put(state, "p1", replace(V1, **{field: "other"})) == "content_mismatch"
    assert state.deployments["p1"].content == V1


def test_a_digest_that_is_missing_differs_from_one_that_is_there() -> None:
    state = GatewayState()
    put(state, "p1")

    assert put(state, "p1", replace(V1, digest=None)) == "content_mismatch"


def test_a_lower_token_is_stale_whatever_the_content() -> None:
    state = GatewayState()
    put(state, "p1", token=5)

    assert decide_put(state, "p1", V1, token=4, at=LATER) == ("stale_fencing_token", ())
    assert decide_put(state, "p1", V2, token=4, at=LATER) == ("stale_fencing_token", ())
    assert decide_delete(state, "p1", token=4, at=LATER) == ("stale_fencing_token", ())


def test_an_equal_token_or_none_is_not_stale_and_raises_nothing() -> None:
    state = GatewayState()
    put(state, "p1", token=5)

    assert decide_put(state, "p1", V1, token=5, at=LATER) == ("unchanged", ())
    assert decide_put(state, "p1", V1, token=None, at=LATER) == ("unchanged", ())


@pytest.mark.parametrize(("content", "expected"), [(V1, "unchanged"), (V2, "content_mismatch")])
def test_a_higher_token_is_remembered_also_by_a_put_without_other_effect(content: Content, expected: str) -> None:
    state = GatewayState()
    put(state, "p1", token=5)

    outcome, effects = decide_put(state, "p1", content, token=6, at=LATER)
    take(state, effects)

    assert (outcome, effects) == (expected, (TokenRaised(key="p1", token=6, at=LATER),))
    assert put(state, "p1", token=5) == "stale_fencing_token"


def test_tokens_of_one_key_say_nothing_about_another() -> None:
    state = GatewayState()
    put(state, "p1", token=5)

    assert put(state, "p2", V2, token=1) == "created"


def test_fencing_the_live_deployment_brings_back_the_one_beneath() -> None:
    state = GatewayState()
    put(state, "p1")
    put(state, "p2", V2, at=LATER)

    outcome, effects = decide_delete(state, "p2", token=None, at=LATER)
    take(state, effects)

    assert outcome == "fenced"
    assert effects == (Fenced(key="p2", removes=True, revives="p1", at=LATER),)
    assert live_key(state) == "p1"
    assert state.deployments["p1"].retired_at is None
    assert "p2" not in state.deployments


def test_fencing_a_retired_deployment_leaves_the_live_one_alone() -> None:
    state = GatewayState()
    put(state, "p1")
    put(state, "p2", V2)

    delete(state, "p1")
    delete(state, "p2")

    assert live_key(state) is None
    assert state.slots == {}


def test_a_deployment_that_was_fenced_while_retired_is_not_brought_back() -> None:
    state = GatewayState()
    for key in ("p1", "p2", "p3"):
        put(state, key)
    delete(state, "p2")

    delete(state, "p3")

    assert live_key(state) == "p1"


def test_a_key_that_was_never_put_can_be_fenced_and_its_late_put_is_refused() -> None:
    state = GatewayState()

    first = decide_delete(state, "p1", token=None, at=NOON)
    take(state, first[1])

    assert first == ("fenced", (Fenced(key="p1", removes=False, revives=None, at=NOON),))
    assert put(state, "p1", token=99) == "fenced"
    assert live_key(state) is None


def test_fencing_twice_changes_nothing_the_second_time() -> None:
    state = GatewayState()
    put(state, "p1", token=5)
    delete(state, "p1", token=5)

    assert decide_delete(state, "p1", token=1, at=LATER) == ("fenced", ())


def test_a_forgotten_key_can_be_created_again_and_loses_fence_and_token() -> None:
    state = GatewayState()
    put(state, "p1", token=5)
    put(state, "p2", V2, token=5)
    delete(state, "p1", token=5)

    take(state, decide_forget(state, "p1", at=LATER))
    forgotten = decide_forget(state, "p2", at=LATER)
    take(state, forgotten)

    assert forgotten == (Forgotten(key="p2", revives=None, at=LATER),)
    assert put(state, "p1", token=1) == "created"
    assert put(state, "p2", V2, token=1) == "created"


def test_there_is_nothing_to_forget_of_a_key_that_was_never_seen() -> None:
    assert decide_forget(GatewayState(), "p1", at=NOON) == ()


KEYS = st.sampled_from(["p1", "p2", "p3", "p4"])
CONTENTS = st.sampled_from([V1, V2, replace(V1, agent_id="agent-2")])
TOKENS = st.none() | st.integers(min_value=0, max_value=3)


class AnyRequestsInAnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state = GatewayState()
        self.effects: list[Effect] = []
        self.fenced: set[str] = set()
        self.minutes = 0

    def now(self) -> datetime:
        self.minutes += 1
        return NOON + timedelta(minutes=self.minutes)

    def take(self, effects: tuple[Effect, ...]) -> None:
        take(self.state, effects)
        self.effects.extend(effects)

    @rule(key=KEYS, content=CONTENTS, token=TOKENS)
    def put(self, key: str, content: Content, token: int | None) -> None:
        outcome, effects = decide_put(self.state, key, content, token=token, at=self.now())
        self.take(effects)
        assert (outcome == "fenced") == (key in self.fenced)
        if outcome == "created":
            live = self.state.live(content.slot)
            assert live is not None
            assert live.deployment_id == key

    @rule(key=KEYS, token=TOKENS)
    def delete(self, key: str, token: int | None) -> None:
        outcome, effects = decide_delete(self.state, key, token=token, at=self.now())
        self.take(effects)
        if outcome == "fenced":
            self.fenced.add(key)

    @precondition(lambda self: self.state.deployments)
    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.take(decide_forget(self.state, key, at=self.now()))
        self.fenced.discard(key)

    @invariant()
    def a_slot_with_deployments_has_exactly_one_live_and_an_empty_one_none(self) -> None:
        for slot in {deployment.content.slot for deployment in self.state.deployments.values()}:
            live = [
                deployment
                for deployment in self.state.deployments.values()
                if deployment.content.slot == slot and deployment.status == "live"
            ]
            assert live == [self.state.live(slot)]

    @invariant()
    def a_fenced_key_has_no_deployment(self) -> None:
        assert self.fenced == self.state.fenced
        assert not self.fenced & set(self.state.deployments)

    @invariant()
    def the_effects_folded_anew_give_the_same_state(self) -> None:
        assert fold(EffectApplied(request=1, effect=effect) for effect in self.effects) == self.state


TestAnyRequestsInAnyOrder = AnyRequestsInAnyOrder.TestCase
