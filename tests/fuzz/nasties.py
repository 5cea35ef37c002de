"""Values that break what is not careful: one list, used in paths, queries, headers, bodies and records."""

import random
from typing import Any

TEXTS: tuple[str, ...] = (
    "", " ", "\x00", "a\x00b", "\ud800", "\u202eabc", "\ufeff", "\r\nX-Injected: 1", "ﬁ", "productіon", "a" * 201,
    "a" * 5000, "../../etc/passwd", "%2e%2e%2f", "%00", "'; DROP TABLE x; --", "{{7*7}}", "${jndi:ldap://x}",
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\x1b[31m", "rules", "null", "true", "NaN", "-1", "1e400",
    "00000000-0000-0000-0000-000000000000", "00000000-0000-4000-8000-00000000000g", "javascript:alert(1)", "😀", "é",
    "2026-02-30T25:61:61Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59+99:99", "development", "staging", "production",
    "agent", "dep-1", "acme", "globex", "gw-staging", "*", ",", "acme,globex",
)  # fmt: skip
NUMBERS: tuple[str, ...] = (
    "0", "-0", "-1", "1", "1.5", "1e400", "-1e400", "1e131071", "NaN", "Infinity", "-Infinity", "9" * 4301, "1e-400",
    "9223372036854775808", "2147483648", "01", "+1", "0x10", "1_000",
)  # fmt: skip


class Nasty:
    """Draws values; equal seeds draw equally."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        """Draw a text."""
        kind = self.random.random()
        if kind < 0.7:
            return self.random.choice(TEXTS)
        return "".join(
            chr(self.random.choice((self.random.randrange(128), self.random.randrange(0x11000)))) for _ in range(8)
        )

    def json(self, depth: int = 0) -> str:
        """Draw JSON, or what almost is."""
        kind = self.random.randrange(9 if depth < 3 else 6)
        if kind < 2:
            return _quoted(self.text())
        if kind == 2:
            return self.random.choice(NUMBERS)
        if kind == 3:
            return self.random.choice(("null", "true", "false"))
        if kind == 4:
            return self.random.choice(
                ("{}", "[]", '{"a":1,"a":2}', "[" * 300, '"\\ud800"', '"\\u0000"', "{", "\ufeff{}")
            )
        if kind == 5:
            return '{"all": []}'
        if kind == 6:
            return "[" + ",".join(self.json(depth + 1) for _ in range(self.random.randrange(4))) + "]"
        names = [self.text() if self.random.random() < 0.3 else self.random.choice(FIELDS) for _ in range(4)]
        return "{" + ",".join(f"{_quoted(name)}:{self.json(depth + 1)}" for name in names) + "}"

    def spoil(self, document: dict[str, Any]) -> str:
        """Write ``document`` with one or two of its values spoilt, left out, or others added."""
        values = {name: dump(value) for name, value in document.items()}
        for _ in range(self.random.randrange(1, 3)):
            name = self.random.choice([*values, self.random.choice(FIELDS)]) if values else self.random.choice(FIELDS)
            if self.random.random() < 0.2:
                values.pop(name, None)
            else:
                values[name] = self.json()
        return "{" + ",".join(f"{_quoted(name)}:{value}" for name, value in values.items()) + "}"


FIELDS = (
    "id", "organization_id", "agent_id", "source_deployment_id", "target_gateway_id", "target_environment", "status",
    "created_by", "created_at", "version", "votes", "approver_id", "override_conditions", "reason", "name",
    "conditions",
    "required_approvers", "auto_promote", "requires_approval", "all", "any", "not", "field", "op", "value", "__class__",
    "url", "credential", "environment", "names", "publishers", "data", "specversion", "type", "source", "time",
    "metrics",
)  # fmt: skip


def dump(value: Any) -> str:
    """Write a plain value as JSON."""
    import json

    return json.dumps(value)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=True)
