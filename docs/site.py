"""What the site has beyond the files here: references made from the kept documents. Run by mkdocs; writes no file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from studio.console.views import reference

Json = Mapping[str, Any]
FOLDER = Path(__file__).parent
# Pages beside the project's root, by the address that the site gives them.
BESIDE = {"../SECURITY.md": "reference/threats.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the references."""
    pages = {
        "reference/api.md": api_page(_kept("openapi.json"), "HTTP API", "openapi.json"),
        "reference/gateway.md": api_page(_kept("gateway.openapi.json"), "Gateway contract", "gateway.openapi.json"),
        "reference/events.md": events_page(_kept("asyncapi.json")),
        "reference/threats.md": (FOLDER.parent / "SECURITY.md").read_text("utf-8").replace("](docs/", "](../"),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to what lies beside this folder to where the site has it."""
    for beside, here in BESIDE.items():
        markdown = markdown.replace(f"]({beside})", f"]({'../' * page.file.src_uri.count('/')}{here})")
    return markdown


def api_page(document: Json, title: str, file: str) -> str:
    """Write every operation of an OpenAPI document."""
    return "\n".join([*_head(document, title, file), *_operations(document), *_models(document)])


def events_page(document: Json) -> str:
    """Write every topic of an AsyncAPI document: its key, who reads it, its fields."""
    lines = _head(document, "Events", "asyncapi.json")
    readers: dict[str, list[str]] = {}
    for name, operation in document["operations"].items():
        if operation["action"] == "receive":
            readers.setdefault(operation["channel"]["$ref"].rpartition("/")[2], []).append(name)
    for topic, channel in document["channels"].items():
        name = next(iter(channel["messages"]))
        message = document["components"]["messages"][name]
        key = message.get("bindings", {}).get("kafka", {}).get("key", {}).get("description", "")
        lines += [f"## {topic}", "", message.get("summary") or message.get("description", ""), ""]
        lines += [f"Key: {key}. Read by: {', '.join(f'`{each}`' for each in readers.get(topic, [])) or 'anybody'}.", ""]
        lines += _fields(message["payload"], document)
    return "\n".join([*lines, *_models(document)])


def _head(document: Json, title: str, file: str) -> list[str]:
    said = str(document["info"].get("description", ""))
    return [
        f"# {title}",
        "",
        said.replace("<", "&lt;"),
        "",
        f"The whole document, for programs: [{file}](../{file}).",
        "",
    ]


def _operations(document: Json) -> Iterator[str]:
    for group in reference.groups(document):
        yield from (f"## {group.name.capitalize()}", "", group.description, "")
        for operation in group.operations:
            said = str(operation.described.get("description") or operation.described.get("summary", ""))
            yield from (f"### {operation.verb} {operation.path}", "", said, "")
            yield from _table(reference.parameters(operation), ("parameter", "in", "kind", "meaning"), document)
            types, fields = reference.body(operation, document)
            if types:
                yield from (f"Body: `{types}`", "")
                yield from _table(fields, ("field", "in", "kind", "meaning"), document)
            yield from ("| answer | meaning | body |", "| --- | --- | --- |")
            yield from (
                f"| {answer.status} | {_cell(answer.description)} | {_kinds(answer.kind, document)} |"
                for answer in reference.answers(operation)
            )
            yield ""


def _models(document: Json) -> Iterator[str]:
    yield from ("## Models", "")
    for name, schema in document["components"]["schemas"].items():
        yield from (f"### {name}", "", str(schema.get("description", "")), "")
        if "enum" in schema:
            yield from (", ".join(f"`{value}`" for value in schema["enum"]), "")
        yield from _fields(schema, document)


def _fields(schema: Json, document: Json) -> list[str]:
    return list(_table(reference.fields(schema, document), ("field", "in", "kind", "meaning"), document))


def _table(fields: list[reference.Field], heads: tuple[str, str, str, str], document: Json) -> Iterator[str]:
    """Write fields as a table, without the columns that none of them fills."""
    rows = [
        (f"`{field.name}`" + ("" if field.required else " (optional)"), field.place, _kinds(field.kind, document),
         _cell(field.description))
        for field in fields
    ]  # fmt: skip
    used = [place for place in range(4) if any(row[place] for row in rows)]
    if used:
        yield f"| {' | '.join(heads[place] for place in used)} |"
        yield f"| {' | '.join('---' for _ in used)} |"
        yield from (f"| {' | '.join(row[place] for place in used)} |" for row in rows)
        yield ""


def _kinds(kind: str, document: Json) -> str:
    """Write what a value is; each part that is a model leads to it."""
    models = document["components"]["schemas"]
    parts = [f"[{part}](#{part.lower()})" if part in models else f"`{_cell(part)}`" for part in kind.split(" or ")]
    return " or ".join(parts) if kind else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _kept(name: str) -> Json:
    """Read a document; what OpenAPI lets a path say for all of its operations, each of them says."""
    document: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    for path, said in document.get("paths", {}).items():
        for_all = said.get("parameters", [])
        operations = {verb: described for verb, described in said.items() if "operationId" in described}
        for operation in operations.values():
            operation["parameters"] = [*for_all, *operation.get("parameters", [])]
        document["paths"][path] = operations
    return document
