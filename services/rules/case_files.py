"""Files of cases, JSON or YAML, read for ``promotion rules test``. Reads and parses; the language judges.

A file is a list of cases, an object with ``cases``, or a single case.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import yaml

from services.rules.domain.conditions import CaseResult, read_json, run_cases

LARGEST_FILE_BYTES = 16 * 1024 * 1024


class UnreadableCaseFile(ValueError):
    """A file that holds no cases; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """How the cases of one file ended."""

    path: Path
    results: tuple[CaseResult, ...]

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """The cases that did not pass, in order."""
        return tuple(result for result in self.results if not result.passed)

    def to_json(self) -> dict[str, object]:
        """Give the report for programs; only failures carry their details."""
        return {
            "file": str(self.path),
            "cases": len(self.results),
            "failed": len(self.failures),
            "failures": [failure.to_json() for failure in self.failures],
        }


def run_case_file(path: Path) -> FileReport:
    """Run every case of a file.

    Raises: UnreadableCaseFile; OSError where the file cannot be opened.
    """
    return FileReport(path, tuple(run_cases(read_case_file(path))))


def read_case_file(path: Path) -> list[object]:
    """Give the cases of a file, parsed. Raises: UnreadableCaseFile; OSError."""
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise UnreadableCaseFile(f"{path}: larger than {LARGEST_FILE_BYTES:,} bytes; split it")
    content = path.read_bytes()
    document = _from_json(path, content) if path.suffix.lower() == ".json" else _from_yaml(path, content)
    if isinstance(document, dict):
        document = document.get("cases", [document])
    if not isinstance(document, list) or not document:
        raise UnreadableCaseFile(f"{path}: holds no cases; write a list of cases")
    return document


def _from_json(path: Path, content: bytes) -> object:
    document, errors = read_json(content, largest_bytes=LARGEST_FILE_BYTES)
    if errors:
        raise UnreadableCaseFile("; ".join(f"{path}{error.path}: {error.message}" for error in errors))
    return document


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error, as it is in conditions."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} appears more than once", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _from_yaml(path: Path, content: bytes) -> object:
    try:
        return yaml.load(content, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise UnreadableCaseFile(f"{path}: nested too deep to be read") from None
    except (yaml.YAMLError, ValueError) as refused:
        raise UnreadableCaseFile(f"{path}: cannot be read as YAML: {refused}") from refused
