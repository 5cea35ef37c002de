"""The API's description as pages: operations by topic, and of each what it takes and answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

_REF = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API."""

    id: str
    verb: str
    path: str
    summary: str
    tag: str
    described: Json


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one topic."""

    name: str
    description: str
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    required: bool
    description: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that an operation may give."""

    status: str
    description: str
    kind: str


def operations(document: Json) -> list[Operation]:
    """Give every operation, in the order of the document."""
    return [
        Operation(
            id=described["operationId"],
            verb=verb.upper(),
            path=path,
            summary=str(described.get("description", "")).partition("\n")[0],
            tag=(described.get("tags") or ["other"])[0],
            described=described,
        )
        for path, verbs in document["paths"].items()
        for verb, described in verbs.items()
    ]


def groups(document: Json) -> list[Group]:
    """Give the operations by topic."""
    found = operations(document)
    tags = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    tags |= {operation.tag: "" for operation in found if operation.tag not in tags}
    listed = [Group(name, said, [one for one in found if one.tag == name]) for name, said in tags.items()]
    return [group for group in listed if group.operations]


def parameters(operation: Operation) -> list[Field]:
    """Give what goes into the address and the headers."""
    return [
        Field(
            given["name"],
            kind(given["schema"]),
            bool(given.get("required")),
            given.get("description") or given["schema"].get("description", ""),
            given["in"],
        )
        for given in operation.described.get("parameters", ())
    ]


def body(operation: Operation, document: Json) -> tuple[str, list[Field]]:
    """Give the media types and the fields of the request's body; empty where it has none."""
    content = operation.described.get("requestBody", {}).get("content", {})
    schema: Json = next((taken["schema"] for taken in content.values() if "schema" in taken), {})
    return ", ".join(content), fields(schema, document)


def answers(operation: Operation) -> list[Answer]:
    """Give the answers by status."""
    return [
        Answer(status, answer.get("description", ""), _answered(answer))
        for status, answer in sorted(operation.described["responses"].items())
    ]


def answered_fields(operation: Operation, document: Json) -> list[Field]:
    """Give the fields of what is answered when all goes well."""
    for answer in operation.described["responses"].values():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            found = fields(schema, document)
            items = next((field for field in _properties(schema, document) if field[0] == "items"), None)
            return fields(items[1].get("items", {}), document) if items else found
    return []


def fields(schema: Json, document: Json) -> list[Field]:
    """Give the fields of a schema, by their own names."""
    resolved = _resolved(schema, document)
    required = set(resolved.get("required", ()))
    return [
        Field(name, kind(described), name in required, str(described.get("description", "")).partition("\n")[0])
        for name, described in _properties(schema, document)
    ]


def kind(schema: Json) -> str:
    """Say in a word or two what a value is."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(kind(one) for one in schema[several]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("const") or schema.get("type") or "anything")


def _answered(answer: Json) -> str:
    content = answer.get("content", {})
    return ", ".join(f"{kind(taken.get('schema', {}))}" for taken in content.values())


def _resolved(schema: Json, document: Json) -> Json:
    seen = 0
    while "$ref" in schema and seen < 10:
        schema = document["components"]["schemas"][schema["$ref"].removeprefix(_REF)]
        seen += 1
    for one in schema.get("anyOf", ()):
        if "$ref" in one:
            return _resolved(one, document)
    return schema


def _properties(schema: Json, document: Json) -> Iterator[tuple[str, Json]]:
    yield from _resolved(schema, document).get("properties", {}).items()
