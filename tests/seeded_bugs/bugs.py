"""The bugs: what is replaced by what in which file, and the tests that have to fail for it.

The text to replace has to stand in its file exactly once; where it does not, the list is out of date and says so.
"""

from dataclasses import dataclass

MODEL = "tests/model"
SIMULATION = "tests/simulation/test_simulation.py::test_no_course_of_things_breaks_an_invariant"
CRASHES = "tests/crash_points/test_crash_points.py"
FAULTS = f"{CRASHES}::test_a_fault_at_any_point_of_a_step_changes_nothing_of_its_end"
WIPED = f"{CRASHES}::test_a_broker_that_loses_all_its_data_between_any_two_steps_loses_no_promotion"
RACES = "tests/races"


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake; ``quick`` ones are tried in every test run."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]
    quick: bool = False


def bug(name: str, path: str, old: str, new: str, *caught_by: str, quick: bool = False) -> Bug:
    """Give a bug of one replacement."""
    return Bug(name, (Edit(f"services/{path}", old, new),), caught_by, quick)


BUGS: tuple[Bug, ...] = (
    Bug(
        "read-then-write decisions: no lock on the slot, none on the row, no guard on the version",
        (
            Edit("services/promotion/store.py", "    if slots:\n        await connection.execute(_LOCK_SLOTS", "    if not slots:\n        await connection.execute(_LOCK_SLOTS"),
            Edit("services/promotion/store.py", '_LOCK = text(f"{_READ} ORDER BY p.organization_id, p.id FOR UPDATE OF p")', '_LOCK = text(f"{_READ} ORDER BY p.organization_id, p.id")'),
            Edit("services/promotion/store.py", " AND p.version = i.expected", ""),
        ),
        (RACES,),
    ),
    bug(
        "offsets are committed although the batch failed", "platform/messaging/consumer.py",
        "            if not received or not is_permanent(error):\n                raise\n",
        "            if not received or not is_permanent(error):\n                return\n",
        SIMULATION,
    ),
    bug(
        "the relay deletes before it publishes", "platform/messaging/outbox.py",
        "            refusals = await self._publish(rows)\n",
        "            await connection.execute(\n                f\"DELETE FROM {self._schema}.outbox WHERE id = ANY($1)\", [row[\"id\"] for row in rows]\n            )\n            refusals = await self._publish(rows)\n",
        FAULTS,
    ),
    bug(
        "an idempotency key for each attempt", "executor/worker.py",
        "        answer = await self._client.ask(call, order, gateway,",
        "        from dataclasses import replace\n        from uuid import uuid5\n        order = replace(order, promotion_id=uuid5(order.promotion_id, str(execution.attempts)))\n        answer = await self._client.ask(call, order, gateway,",
        SIMULATION,
    ),
    bug(
        "failed on a time-out, without asking", "executor/domain/course.py",
        "        case Unknown():\n            doubtful",
        "        case Unknown():\n            return execution, Failed(StatusReason.TIMED_OUT, reply.reason)\n            doubtful",
        "tests/unit/executor/test_course.py", SIMULATION, quick=True,
    ),
    bug(
        "no fence at the deadline", "executor/domain/course.py",
        "    if execution.doubtful:\n        verdict = StatusReason.TIMED_OUT",
        "    if execution.doubtful and execution.epoch < 0:\n        verdict = StatusReason.TIMED_OUT",
        "tests/unit/executor/test_course.py", quick=True,
    ),
    bug(
        "the lease's epoch is not looked at", "executor/store/leases.py",
        "    AND e.epoch = i.epoch AND e.leased AND e.{OPEN}", "    AND e.leased AND e.{OPEN}",
        "tests/integration/executor/test_leases.py",
    ),
    bug(
        "an answer about another deployment is taken for ours", "executor/domain/answers.py",
        "    if found.deployment_id != order.key:", "    if found.deployment_id == \"\":",
        "tests/unit/executor/test_answers.py", quick=True,
    ),
    bug(
        "orders are believed without the promotion's word", "executor/store/arrivals.py",
        "    WHERE p.status = 'approved' AND p.status_reason IN ('executing', 'retrying')\n        AND (p.agent_id,", "    WHERE true OR (p.agent_id,",
        "tests/integration/executor/test_execution.py",
    ),
    bug(
        "what no call is certain of is put again without looking", "executor/domain/course.py",
        "Call.LOOK_UP if execution.status is ExecutionStatus.LOOKING_UP else Call.PUT", "Call.PUT",
        "tests/unit/executor/test_course.py",
    ),
    bug(
        "dead letters are told apart by offset alone", "platform/messaging/dead_letters.py",
        'f"dead letter\\n{place}\\n{digest}"', 'f"dead letter\\n{place}"',
        "tests/unit/platform/test_dead_letter_identity.py", quick=True,
    ),
    bug(
        "unreadable records are skipped", "platform/messaging/consumer.py",
        "            except Unreadable as error:\n                letters.append(", "            except Unreadable as error:\n                [].append(",
        SIMULATION,
    ),
    Bug(
        "terminal states are not absorbing",
        (
            Edit("services/promotion/domain/lifecycle.py", "**dict.fromkeys(TERMINAL, frozenset[State]()),", "**dict.fromkeys(TERMINAL, PENDING | HELD | TERMINAL),"),
            Edit("services/promotion/domain/progress.py", "    if promotion.state not in lifecycle.PENDING | lifecycle.HELD:\n        return None\n", ""),
        ),
        (MODEL, "tests/unit/promotion"),
        quick=True,
    ),
    bug(
        "a stale evaluation overtakes a newer one", "promotion/domain/progress.py",
        "evaluation.number <= promotion.evaluation.number", "evaluation.number == promotion.evaluation.number",
        MODEL,
        "tests/unit/promotion",
    ),
    bug(
        "evidence that became too old still counts", "promotion/domain/decision.py",
        "evaluation.holds_until is None or now < evaluation.holds_until", "evaluation.holds_until is None or now",
        MODEL,
        "tests/unit/promotion",
    ),
    Bug(
        "the requester's own vote counts",
        (
            Edit(
                "services/promotion/domain/approvals.py",
                " for key, vote in by_person.items() if key != requester or vote.breaks_glass]",
                " for key, vote in by_person.items() if key != requester or vote]",
            ),
            Edit(
                "services/promotion/domain/commands.py",
                "        raise OwnPromotion\n    if promotion.state not in lifecycle.PENDING and not _open_again",
                "        pass\n    if promotion.state not in lifecycle.PENDING and not _open_again",
            ),
        ),
        (MODEL, "tests/unit/promotion"),
        quick=True,
    ),
    bug(
        "one person in two spellings is two", "promotion/domain/approvals.py",
        "            principal_key(vote.voter): vote\n", "            vote.voter: vote\n",
        MODEL,
        "tests/unit/promotion",
    ),
    bug(
        "one approval is enough, whatever the rules say", "promotion/domain/decision.py",
        "max(1, evaluation.required_approvers)", "min(1, evaluation.required_approvers)",
        MODEL,
        "tests/unit/promotion",
    ),
    bug(
        "an override needs no reason", "promotion/http/commands.py",
        "if wish.override_conditions and wish.reason is None:", "if wish.override_conditions and wish is None:",
        "tests/integration/promotion/test_commands.py",
    ),
    bug(
        "cancelled after the point of no return", "promotion/domain/commands.py",
        "    if promotion.state not in lifecycle.PENDING | lifecycle.HELD:\n        raise TooLate(\"cancel\", promotion)\n", "",
        MODEL,
        "tests/unit/promotion",
    ),
    bug(
        "two executions in one slot", "promotion/store.py",
        "    f\"LEFT JOIN {_one_in_slot(RUNNING)} AS running ON true WHERE running.id IS NULL\"\n", "",
        "tests/integration/promotion/test_slots.py",
    ),
    bug(
        "what begins at once does not look who is under way", "promotion/store.py",
        "AS running ON true WHERE held.id IS NULL AND running.id IS NULL", "AS running ON true",
        "tests/integration/promotion/test_slots.py",
    ),
    bug(
        "older promotions of a slot are not superseded", "promotion/work.py",
        "            await self._supersede(", "            await self._supersede([]) if steps else await self._supersede(",
        "tests/integration/promotion/test_slots.py",
    ),
    bug(
        "outcomes are believed whoever reports them", "promotion/completions.py",
        'if event.source != event_source("executor", data.organization_id):', "if not event.source:",
        "tests/integration/promotion/test_slots.py",
    ),
    bug(
        "an expired promotion may still begin", "promotion/domain/progress.py",
        '    """Start a queued promotion whose slot is free, unless it expired or its evidence went bad meanwhile."""\n    cause = lifecycle.in_order(promotion, cause)\n    if cause.at >= promotion.expires_at:',
        '    """Start a queued promotion whose slot is free, unless it expired or its evidence went bad meanwhile."""\n    cause = lifecycle.in_order(promotion, cause)\n    if cause.at is None:',
        MODEL,
        "tests/unit/promotion",
    ),
    bug(
        "what stays unanswered is not sent again", "promotion/upkeep.py",
        "    if not rows:\n        return 0\n    promotions = await store.with_votes", "    if rows or not rows:\n        return 0\n    promotions = await store.with_votes",
        f"{WIPED}[completed-02-rules consumes promotion.requested]",
    ),
    bug(
        "outcomes that nobody took are not told again", "executor/upkeep.py",
        "[announcement(item) for item in finished]", "[]",
        f"{WIPED}[completed-15-promotion consumes deployment.completed]", SIMULATION,
    ),
    bug(
        "the chain's head stays where it was", "promotion/history.py",
        'f"WITH moved AS ({_MOVE}) INSERT INTO promotion.history', 'f"INSERT INTO promotion.history',
        "tests/integration/promotion/test_guards.py", "tests/integration/promotion/test_flow.py",
    ),
    bug(
        "the rules of now apply, not those of the request", "rules/domain/rule.py",
        "rule.status is status and rule.in_force(at)", "rule.status is status and rule.valid_to is None",
        "tests/integration/rules", "tests/unit/rules",
    ),
    bug(
        "a key's second request makes a second promotion", "promotion/creation.py",
        "        or (creation.claim not in remembered and first_with_key[creation.claim].id == creation.id)",
        "        or True",
        "tests/integration/promotion/test_creating.py",
    ),
    bug(
        "a batch that cannot be decompressed stops its partition", "platform/messaging/compression.py",
        "    fetcher.PartitionRecords = _PatientRecords\n", "",
        "tests/integration/poison",
    ),
)  # fmt: skip
