"""The rule engines that are compared, each given the same rule in its own language.

Each maker takes a rule and gives two functions: one that prepares facts, done once, and one that is timed. A maker
whose package is not installed raises ImportError.
"""

import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bench.rule_samples import Json
from services.rules.domain.conditions import Value, compile_conditions, evaluate, explain
from services.rules.domain.facts import Fact, Facts

Prepare = Callable[[dict[str, Json]], Any]
Evaluate = Callable[[Any], bool]
Engine = tuple[Prepare, Evaluate]
NOW = datetime(2025, 1, 1, tzinfo=UTC)
OURS, OURS_EXPLAINED = "this language", "this language, explained"
_SYMBOLS = {"eq": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _as_they_are(facts: dict[str, Json]) -> Any:
    return facts


def our_facts(facts: dict[str, Json]) -> Facts:
    return Facts(
        {
            f"{space}.{name}": Fact(value, NOW, "bench", "e")
            for space, known in facts.items()
            for name, value in known.items()
        }
    )


def this_language(rule: Json) -> Engine:
    compiled = compile_conditions(rule)
    return our_facts, lambda facts: evaluate(compiled, facts, NOW) is Value.TRUE


def this_language_explained(rule: Json) -> Engine:
    compiled = compile_conditions(rule)
    return our_facts, lambda facts: explain(compiled, facts, NOW).to_json()["result"] == "true"


def this_language_with_facts(rule: Json) -> Engine:
    """The same with the facts put together anew each time, for an honest lower bound."""
    compiled = compile_conditions(rule)
    return _as_they_are, lambda facts: evaluate(compiled, our_facts(facts), NOW) is Value.TRUE


def bare_closures(rule: Json) -> Engine:
    """No types, no ages, no third value: what the interpreter itself allows."""
    if "all" in rule or "any" in rule:
        tests = [bare_closures(child)[1] for child in rule.get("all") or rule["any"]]
        wanted = "any" in rule

        def group(facts: Any) -> bool:
            for test in tests:
                if test(facts) is wanted:
                    return wanted
            return not wanted

        return _as_they_are, group
    if "not" in rule:
        inner = bare_closures(rule["not"])[1]
        return _as_they_are, lambda facts: not inner(facts)
    (space, name), value = rule["field"].split("."), rule["value"]
    compare = getattr(operator, {"gte": "ge", "lte": "le"}.get(rule["op"], rule["op"]))
    return _as_they_are, lambda facts: compare(facts[space][name], value)


def json_logic(rule: Json) -> Engine:
    from json_logic import jsonLogic

    def translated(node: Json) -> Json:
        if "field" in node:
            return {_SYMBOLS[node["op"]]: [{"var": node["field"]}, node["value"]]}
        if "not" in node:
            return {"!": [translated(node["not"])]}
        kind = "all" if "all" in node else "any"
        return {"and" if kind == "all" else "or": [translated(child) for child in node[kind]]}

    logic = translated(rule)
    return _as_they_are, lambda facts: bool(jsonLogic(logic, facts))


def _infix(node: Json, words: tuple[str, str, str], name: Callable[[str], str], literal: Callable[[Any], str]) -> str:
    conjunction, disjunction, negation = words
    if "field" in node:
        return f"({name(node['field'])} {_SYMBOLS[node['op']]} {literal(node['value'])})"
    if "not" in node:
        return f"({negation}{_infix(node['not'], words, name, literal)})"
    word, children = (conjunction, node["all"]) if "all" in node else (disjunction, node["any"])
    return "(" + f" {word} ".join(_infix(child, words, name, literal) for child in children) + ")"


def _subscripted(path: str) -> str:
    space, name = path.split(".")
    return f"{space}['{name}']"


def simpleeval(rule: Json) -> Engine:
    from simpleeval import SimpleEval

    text = _infix(rule, ("and", "or", "not "), _subscripted, repr)
    evaluator = SimpleEval()
    parsed = evaluator.parse(text)

    def test(facts: Any) -> bool:
        evaluator.names = facts
        return bool(evaluator.eval(text, previously_parsed=parsed))

    return _as_they_are, test


def rule_engine(rule: Json) -> Engine:
    from rule_engine import Context, Rule, resolve_item

    text = _infix(rule, ("and", "or", "not "), _subscripted, json.dumps)
    compiled = Rule(text, context=Context(resolver=resolve_item))
    return _as_they_are, compiled.matches


def cel_rust(rule: Json) -> Engine:
    import cel

    program = cel.compile(_infix(rule, ("&&", "||", "!"), str, json.dumps))
    return _as_they_are, lambda facts: bool(program.execute(facts))


def cel_rust_with_context(rule: Json) -> Engine:
    """The same with its facts converted once, as only facts that never change could be."""
    import cel

    return cel.Context, cel_rust(rule)[1]


def cel_python(rule: Json) -> Engine:
    import celpy

    def literal(value: Any) -> str:
        return (
            repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)
        )

    def prepared(facts: dict[str, Json]) -> Any:
        # It does not compare an int with a double, so all numbers are doubles on both sides.
        return {
            space: celpy.json_to_cel({name: float(v) if type(v) in (int, float) else v for name, v in known.items()})
            for space, known in facts.items()
        }

    environment = celpy.Environment()
    program = environment.program(environment.compile(_infix(rule, ("&&", "||", "!"), str, literal)))
    return prepared, lambda facts: bool(program.evaluate(facts))


def business_rules(rule: Json) -> Engine:
    from business_rules.engine import check_conditions_recursively
    from business_rules.variables import (
        BaseVariables,
        boolean_rule_variable,
        numeric_rule_variable,
        string_rule_variable,
    )

    operators = {
        "eq": "equal_to",
        "gt": "greater_than",
        "gte": "greater_than_or_equal_to",
        "lt": "less_than",
        "lte": "less_than_or_equal_to",
    }
    opposite = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
    variables: dict[str, Any] = {"__init__": lambda self, facts: setattr(self, "facts", facts)}

    def variable(path: str, kind: Callable[..., Any]) -> str:
        space, name = path.split(".")

        def read(self: Any) -> Any:
            return self.facts[space][name]

        read.__name__ = f"{space}_{name}"
        variables[read.__name__] = kind(read.__name__)(read)
        return read.__name__

    def translated(node: Json, *, negated: bool = False) -> Json:
        # It has no `not`, so negation is pushed down to the leaves.
        if "not" in node:
            return translated(node["not"], negated=not negated)
        if "field" not in node:
            kind = "all" if "all" in node else "any"
            turned = {"all": "any", "any": "all"}[kind] if negated else kind
            return {turned: [translated(child, negated=negated) for child in node[kind]]}
        value, op = node["value"], node["op"]
        if isinstance(value, bool):
            name = variable(node["field"], boolean_rule_variable)
            return {"name": name, "operator": "is_true" if value is not negated else "is_false", "value": None}
        kind_of = string_rule_variable if isinstance(value, str) else numeric_rule_variable
        op = opposite[op] if negated else op
        return {"name": variable(node["field"], kind_of), "operator": operators[op], "value": value}

    conditions = translated(rule)
    known = type("Known", (BaseVariables,), variables)
    return known, lambda facts: bool(check_conditions_recursively(conditions, facts))


ENGINES: dict[str, Callable[[Json], Engine]] = {
    OURS: this_language,
    "this language, facts built each time": this_language_with_facts,
    OURS_EXPLAINED: this_language_explained,
    "bare closures (no types, ages, unknowns)": bare_closures,
    "json-logic": json_logic,
    "simpleeval": simpleeval,
    "business-rules": business_rules,
    "rule-engine": rule_engine,
    "CEL (cel-python)": cel_python,
    "CEL (Rust), plain facts": cel_rust,
    "CEL (Rust), context prepared": cel_rust_with_context,
}
# Those that answer the same question; bare closures do not.
CONTENDERS = tuple(name for name in ENGINES if not name.startswith(("this language", "bare closures")))
