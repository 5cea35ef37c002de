"""Fault scripts: which requests a gateway treats badly, and how. Chooses only; carrying out is in `lies`.

Choice depends on the seed, the rule, the key and the count of calls, never on a clock or a race.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
When = Literal["before_effect", "after_effect"]
ErrorStatus = Annotated[int, Field(ge=400, le=599)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Trouble(_Strict):
    status: ErrorStatus = 503
    retry_after_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None


class Slow(_Strict):
    """Takes `delay_ms`, by default before the effect."""

    fault: Literal["slow"]
    delay_ms: Milliseconds
    when: When = "before_effect"


class Hang(_Strict):
    """Never answers, and keeps the connection until the client leaves."""

    fault: Literal["hang"]
    when: When = "before_effect"


class Reset(_Strict):
    """Ends the connection with RST."""

    fault: Literal["reset"]
    when: When = "before_effect"


class Status(_Trouble):
    """Answers an error; with `after_effect` this is a lie."""

    fault: Literal["status"]
    when: When = "before_effect"


class SuccessThenTimeout(_Strict):
    """Does what was asked and never says so."""

    fault: Literal["success_then_timeout"]


class ErrorThenSuccess(_Trouble):
    """Answers an error, without effect, to the first `times` calls of each key; is honest from then on."""

    fault: Literal["error_then_success"]
    times: Annotated[int, Field(ge=1, le=1000)] = 1


class LateSuccess(_Trouble):
    """Answers an error and does what was asked `delay_ms` later, unless the key has been fenced by then."""

    fault: Literal["late_success"]
    delay_ms: Milliseconds


class DuplicateAnswer(_Strict):
    """Sends the answer twice on the connection."""

    fault: Literal["duplicate_answer"]


class WrongId(_Strict):
    """Does what was asked and answers with the id of another deployment."""

    fault: Literal["wrong_id"]


class Garbage(_Strict):
    """Does what was asked and answers with bytes that are not JSON."""

    fault: Literal["garbage"]


class HugeBody(_Strict):
    """Does what was asked and answers with `size_bytes` of valid JSON."""

    fault: Literal["huge_body"]
    size_bytes: Annotated[int, Field(ge=1, le=256 * 1024 * 1024)] = 2 * 1024 * 1024


class Redirect(_Strict):
    """Sends the client elsewhere, without effect."""

    fault: Literal["redirect"]
    location: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,2000}$")] = "http://127.0.0.1:1/elsewhere"
    status: Literal[301, 302, 303, 307, 308] = 307


class Forget(_Strict):
    """Loses all that is known of the key, as if restored from an old backup, and then is honest."""

    fault: Literal["forget"]


class Cut(_Strict):
    """Does what was asked, sends half of the body and closes the connection."""

    fault: Literal["cut"]


Fault = (
    Slow
    | Hang
    | Reset
    | Status
    | SuccessThenTimeout
    | ErrorThenSuccess
    | LateSuccess
    | DuplicateAnswer
    | WrongId
    | Garbage
    | HugeBody
    | Redirect
    | Forget
    | Cut
)


class Match(_Strict):
    """Which requests to one key a rule is for; what is left out matches all.

    Calls are counted per rule, among those with its method, key and agent: `from_call` to `to_call` over the
    whole gateway, `nth` for each key by itself. `probability` is drawn last, once for each call.
    """

    method: Literal["GET", "PUT", "DELETE"] | None = None
    key: str | None = None
    agent_id: str | None = None
    nth: Annotated[int, Field(ge=1)] | None = None
    from_call: Annotated[int, Field(ge=1)] = 1
    to_call: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0


class Rule(_Strict):
    """One trouble for the requests that match."""

    match: Match = Match()
    do: Annotated[Fault, Field(discriminator="fault")]


class Script(_Strict):
    """The rules of a gateway, the first that applies wins, and the seed of every draw."""

    seed: int = 0
    rules: Annotated[tuple[Rule, ...], Field(max_length=1000)] = ()


class ScriptUnreadableError(Exception):
    """The script file is missing or not a script."""


class Director:
    """Follows one script: counts calls and says which fault, if any, each one meets."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.applied: Counter[int] = Counter()
        self._calls: Counter[int] = Counter()
        self._calls_of_key: Counter[tuple[int, str]] = Counter()

    def choose(self, *, method: str, key: str, agent_id: str | None) -> tuple[int, Fault] | None:
        """The first rule that applies to this call, counted from 0, with its fault."""
        chosen: tuple[int, Fault] | None = None
        for index, rule in enumerate(self.script.rules):
            if _is_for(rule.match, method, key, agent_id) and self._applies(index, rule, key) and chosen is None:
                chosen = (index, rule.do)
                self.applied[index] += 1
        return chosen

    def _applies(self, index: int, rule: Rule, key: str) -> bool:
        self._calls[index] += 1
        self._calls_of_key[index, key] += 1
        call, call_of_key = self._calls[index], self._calls_of_key[index, key]
        match = rule.match
        return (
            match.nth in (None, call_of_key)
            and match.from_call <= call <= (match.to_call or call)
            and not (isinstance(rule.do, ErrorThenSuccess) and call_of_key > rule.do.times)
            and _draw(self.script.seed, index, key, call_of_key) < match.probability
        )


def read_script(path: Path) -> Script:
    """The script in a JSON or YAML file."""
    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ScriptUnreadableError(f"The fault script {path} cannot be used: {error}") from error


def _is_for(match: Match, method: str, key: str, agent_id: str | None) -> bool:
    return match.method in (None, method) and match.key in (None, key) and match.agent_id in (None, agent_id)


def _draw(seed: int, index: int, key: str, call_of_key: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{index}:{call_of_key}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
