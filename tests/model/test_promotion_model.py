"""Every order of events that people, rules, gateways and the clock can bring: the domain agrees with the model."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.vocabulary import ConditionsResult, Decision, Execution, Origin, StatusReason
from services.promotion.domain import commands, lifecycle, progress
from services.promotion.domain.commands import NotApproved, NotYours, OwnPromotion, TooLate
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Cause, Evaluation, Promotion, Refusal, Request, Vote
from tests.model.desk import Desk
from tests.model.reference import Expected, Said, take_turns

START = datetime(2026, 3, 1, tzinfo=UTC)
# The same people in other spellings are the same people.
PEOPLE = {"rita": "rita", "RITA": "rita", "ada": "ada", "Ada": "ada", "bob": "bob", "ＢＯＢ": "bob", "cyd": "cyd"}
LIFETIME = timedelta(hours=1)
MOST = 4
REFUSED = (TooLate, NotApproved, NotYours, OwnPromotion)
people = st.sampled_from(sorted(PEOPLE))


class Promotions(RuleBasedStateMachine):
    """Two slots, any number of promotions, and deliveries that come late, twice and out of order."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.model: dict[str, Expected] = {}
        self.slots: dict[str, str] = {}
        # Evaluations that were told, and may be told again.
        self.said: defaultdict[str, list[Evaluation]] = defaultdict(list)
        self.now = START

    @initialize(target=names)
    def begin(self) -> str:
        return self.create_one("agent-1")

    # A few, so that much happens to each.
    @precondition(lambda self: len(self.model) < MOST)
    @rule(target=names, slot=st.sampled_from(["agent-1", "agent-1", "agent-2"]))
    def create(self, slot: str) -> str:
        return self.create_one(slot)

    def create_one(self, slot: str) -> str:
        name = f"p{len(self.model)}"
        self.now += timedelta(seconds=1)
        request = Request(
            "acme", UUID(int=len(self.model)), slot, f"dep-{name}", "staging", Origin.USER, "rita", self.now
        )
        opened = lifecycle.open_promotion(
            request, Cause("rita", self.now, {}), source_environment="development", target_gateway_id="gw",
            deployment_version="1", digest=None,
        )  # fmt: skip
        self.desk.commit(name, lambda _: opened, self.now)
        self.model[name] = Expected("rita", len(self.model), self.now + lifecycle.DEFAULT_LIFETIME)
        self.slots[name] = slot
        return name

    @rule(
        name=names, needed=st.integers(0, 3), result=st.sampled_from(sorted(ConditionsResult)),
        holds=st.none() | st.integers(1, 90), manual=st.booleans(), refused=st.integers(0, 9).map(lambda n: n == 0),
        at_once=st.booleans(),
    )  # fmt: skip
    def evaluate(
        self,
        name: str,
        needed: int,
        result: ConditionsResult,
        holds: int | None,
        manual: bool,
        refused: bool,
        at_once: bool,
    ) -> None:
        evaluation = Evaluation(
            number=len(self.said[name]) + 1,
            evaluated_at=self.now,
            requires_approval=needed > 0,
            required_approvers=needed,
            conditions=result,
            holds_until=None if holds is None else self.now + timedelta(seconds=holds),
            execution=Execution.MANUAL if manual else Execution.AUTOMATIC,
            expires_after=LIFETIME,
            rules=(),
            summary="",
            refusal=Refusal(StatusReason.NOT_ELIGIBLE, "no") if refused else None,
        )
        self.said[name].append(evaluation)
        if at_once:
            self.hear(name, evaluation)

    @rule(name=names, which=st.integers(0, 5))
    def deliver(self, name: str, which: int) -> None:
        """Bring an evaluation: late, again, or after a newer one."""
        said = self.said[name]
        if said:
            self.hear(name, said[which % len(said)])

    def hear(self, name: str, said: Evaluation) -> None:
        self._change(name, lambda promotion: progress.evaluated(promotion, said, self._cause("service:rules")))
        proven = said.conditions in (ConditionsResult.NONE, ConditionsResult.TRUE)
        until = said.holds_until if said.conditions is ConditionsResult.TRUE else None
        heard = Said(
            said.number, said.required_approvers, proven, until, said.execution is Execution.MANUAL,
            said.refusal is not None,
        )  # fmt: skip
        created_at = self.desk.promotions[name].request.created_at
        self.model[name].hear(heard, self.now, created_at + LIFETIME)
        self._take_turns(name)

    @rule(name=names, person=people, override=st.booleans())
    def approve(self, name: str, person: str, override: bool) -> None:
        vote = Vote(person, Decision.APPROVE, override, "because" if override else None, self.now)
        self._change(name, lambda promotion: commands.approve(promotion, vote, self._cause(person)))
        self.model[name].approve(PEOPLE[person], override=override, now=self.now)
        self._take_turns(name)

    @rule(name=names, person=people)
    def reject(self, name: str, person: str) -> None:
        vote = Vote(person, Decision.REJECT, False, "no", self.now)
        self._change(name, lambda promotion: commands.reject(promotion, vote, self._cause(person)))
        self.model[name].reject(PEOPLE[person], self.now)
        self._take_turns(name)

    @rule(name=names)
    def cancel(self, name: str) -> None:
        self._change(
            name, lambda promotion: commands.cancel(promotion, reason=None, for_anyone=False, cause=self._cause("rita"))
        )
        self.model[name].cancel()
        self._take_turns(name)

    @rule(name=names)
    def execute(self, name: str) -> None:
        self._change(name, lambda promotion: commands.execute(promotion, for_anyone=True, cause=self._cause("eve")))
        self.model[name].execute(self.now)
        self._take_turns(name)

    @rule(name=names, worked=st.booleans())
    def gateway_replies(self, name: str, worked: bool) -> None:
        """Report an outcome, also of what was never ordered or has long ended."""

        def ended(promotion: Promotion) -> Transition | None:
            if worked:
                return progress.deployed(promotion, name, self._cause("service:executor"))
            return progress.failed(promotion, StatusReason.TIMED_OUT, None, self._cause("service:executor"))

        self._change(name, ended)
        if self.model[name].running:
            self.model[name].stands = "deployed" if worked else "failed"
        self._take_turns(name)

    @rule(seconds=st.sampled_from([1, 30, 60, 1800, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(name=names)
    def expire(self, name: str) -> None:
        def due(promotion: Promotion) -> Transition | None:
            open_ = promotion.state in lifecycle.PENDING | lifecycle.HELD
            return progress.expired(promotion, self._cause("clock")) if open_ and self._late(promotion) else None

        self._change(name, due)
        if self.model[name].open and self.now >= self.model[name].expires_at:
            self.model[name].stands = "expired"
        self._take_turns(name)

    @rule(name=names, person=people)
    def crash(self, name: str, person: str) -> None:
        """Die before the commit: nothing of it has happened."""
        before = dict(self.desk.promotions)

        def dies(desk: Desk) -> Transition | None:
            self._attempt(desk, name, lambda p: commands.execute(p, for_anyone=True, cause=self._cause(person)))
            raise InterruptedError

        try:
            self.desk.commit(name, dies, self.now)
        except InterruptedError:
            assert self.desk.promotions == before

    # After every step

    @invariant()
    def the_model_agrees(self) -> None:
        for name, expected in self.model.items():
            state = self.desk.promotions[name].state
            stands = "failed" if state in lifecycle.FAILED else state.reason.value
            assert stands == expected.stands, name

    @invariant()
    def one_executes_in_a_slot(self) -> None:
        running = Counter(
            each.slot for each in self.desk.promotions.values() if each.state == lifecycle.EXECUTING
        )  # fmt: skip
        assert all(times == 1 for times in running.values())

    @invariant()
    def each_is_ordered_once_and_only_what_ran(self) -> None:
        assert all(times == 1 for times in Counter(self.desk.orders).values())
        for name, promotion in self.desk.promotions.items():
            begun = promotion.executing_at is not None
            assert begun == (name in self.desk.orders)
            assert not (begun and promotion.state.status.value in {"pending", "rejected"})

    @invariant()
    def the_history_is_whole_legal_and_final(self) -> None:
        for name, promotion in self.desk.promotions.items():
            steps = self.desk.history[name]
            assert [step.after.version for step in steps] == list(range(1, promotion.version + 1))
            assert steps[0].after.state == lifecycle.EVALUATING
            for earlier, later in pairwise(steps):
                assert later.before is not None
                assert later.before.state == earlier.after.state
                assert earlier.after.state not in lifecycle.TERMINAL
            assert steps[-1].after.state == promotion.state

    @invariant()
    def whoever_executes_was_approved_by_enough_others(self) -> None:
        for name in self.desk.orders:
            (start,) = [step for step in self.desk.history[name] if step.after.state == lifecycle.EXECUTING]
            promotion = start.after
            evaluation = promotion.evaluation
            assert evaluation is not None
            assert evaluation.refusal is None
            approving = {PEOPLE[vote.voter] for vote in promotion.votes if vote.decision is Decision.APPROVE}
            assert len(approving - {"rita"}) >= evaluation.required_approvers
            assert not any(vote.decision is Decision.REJECT for vote in promotion.votes)

    # How it is done

    def _change(self, name: str, decide: object) -> None:
        self.desk.commit(name, lambda desk: self._attempt(desk, name, decide), self.now)

    def _attempt(self, desk: Desk, name: str, decide: object) -> Transition | Promotion | None:
        try:
            outcome: Transition | Promotion | None = decide(desk.promotions[name])  # type: ignore[operator]
        except REFUSED:
            return None
        return outcome

    def _take_turns(self, name: str) -> None:
        take_turns([each for other, each in self.model.items() if self.slots[other] == self.slots[name]], self.now)

    def _cause(self, actor: str) -> Cause:
        return Cause(actor, self.now, {})

    def _late(self, promotion: Promotion) -> bool:
        return self.now >= promotion.expires_at


TestPromotions = Promotions.TestCase
TestPromotions.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
