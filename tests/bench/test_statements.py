"""What the server's log tells of statements is read as it stands there, values and all."""

from pathlib import Path

from bench.statements import read_statements

LOG = """\
2026-01-01 10:00:00.000 UTC [7] promotion LOG:  duration: 1.500 ms  execute __asyncpg_1__: SELECT a
\tFROM rules.fact WHERE id = $1
2026-01-01 10:00:00.000 UTC [7] promotion DETAIL:  Parameters: $1 = 'it''s', $2 = NULL
2026-01-01 10:00:01.000 UTC [9] promotion LOG:  duration: 9.000 ms  execute __asyncpg_1__: DELETE FROM rules.fact
2026-01-01 10:00:02.000 UTC [7] promotion LOG:  duration: 0.500 ms  execute __asyncpg_1__: SELECT a
\tFROM rules.fact WHERE id = $1
2026-01-01 10:00:02.000 UTC [7] promotion DETAIL:  Parameters: $1 = 'a much longer value', $2 = 'x'
2026-01-01 10:00:03.000 UTC [8] promotion LOG:  checkpoint starting: time
"""


def test_a_statement_is_told_once_with_its_calls_and_the_longest_values_that_it_was_run_with(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    log.write_text(LOG)

    statements = read_statements(log, {7: "rules"})

    (statement,) = statements
    assert (statement.application, statement.sql) == ("rules", "SELECT a\nFROM rules.fact WHERE id = $1")
    assert (statement.calls, statement.total_ms) == (2, 2.0)
    assert statement.values == ["'a much longer value'", "'x'"]


def test_what_costs_most_comes_first(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    log.write_text(LOG)

    statements = read_statements(log, {7: "rules", 9: "executor"})

    assert [each.application for each in statements] == ["executor", "rules"]
