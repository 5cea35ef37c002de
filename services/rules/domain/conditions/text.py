"""An explanation as lines of text, for terminals and logs: one line to a node, indented as the tree is."""

from collections.abc import Iterator, Mapping

from services.rules.domain.conditions.explanation import Explanation
from services.rules.domain.conditions.wording import show


def as_text(explanation: Explanation) -> str:
    """Give the summary, then the tree."""
    return "\n".join((explanation.summary, *_lines(explanation.tree, "  ")))


def _lines(node: Mapping[str, object], indent: str) -> Iterator[str]:
    yield f"{indent}{node['result']!s:<8}{_said(node)}"
    children = node.get("children")
    for child in children if isinstance(children, list) else ():
        yield from _lines(child, indent + "  ")


def _said(node: Mapping[str, object]) -> str:
    about = f" ({node['description']})" if "description" in node else ""
    if node["kind"] != "leaf":
        return f"{node['kind']}{about}"
    message = node.get("message", f"is {show(node['actual'])}")
    change = f"; may change at {node['next_change_at']}" if "next_change_at" in node else ""
    return f"{node['field']} {node['op']} {show(node['expected'])}{about}: {message}{change}"
