"""What is told of a wrong request: every error, of very many the first hundred."""

from typing import Any

from services.platform.http.problems import from_validation


def _errors(number: int) -> list[dict[str, Any]]:
    return [{"type": "missing", "loc": ("body", f"field-{n}"), "msg": "Field required"} for n in range(number)]


def test_every_error_of_a_request_is_told() -> None:
    problem = from_validation(_errors(3))

    assert [error["path"] for error in problem.errors] == ["/field-0", "/field-1", "/field-2"]
    assert "left out" not in problem.detail


def test_of_very_many_errors_the_first_hundred_are_told_and_how_many_are_not() -> None:
    problem = from_validation(_errors(1_000))

    assert len(problem.errors) == 100
    assert problem.detail.endswith("900 more errors are left out")
