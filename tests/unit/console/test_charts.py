"""Charts: coordinates within the picture, and the same figures in words."""

from typing import Any

import pytest

from studio.console.views.charts import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, charts


def day(number: int, **more: object) -> dict[str, Any]:
    return {
        "day": f"2026-03-{number:02d}", "requested": 0, "completed": 0, "failed": 0, "rejected": 0,
        "lead_seconds": None, "approval_seconds": None, **more,
    }  # fmt: skip


def statistics(*days: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"days": list(days), "lead_seconds": None, "approval_seconds": None, "change_fail_rate": None, **more}


def test_nothing_gives_empty_charts_and_no_data() -> None:
    found = charts(statistics(*(day(number) for number in range(1, 8))))

    assert all(chart.empty for chart in found)
    assert [chart.figure for chart in found] == ["0 deployed", "0", "no data", "no data", "0.0 a day", "no data"]


def test_figures_are_said_in_words_too() -> None:
    found = charts(
        statistics(
            day(1, completed=3, failed=1), day(2, completed=4, lead_seconds=1800.0),
            lead_seconds=1800.0, change_fail_rate=0.125,
        )
    )  # fmt: skip

    said = {chart.name: chart.figure for chart in found}
    assert said["outcomes"] == "7 deployed"
    assert said["lead"] == "30 min"
    assert said["frequency"] == "3.5 a day"
    assert said["failures"] == "12.5% (1 of 8)"
    assert found[0].summary == "Outcomes: 7 deployed, 1 failed, 0 rejected in 2 days; at most 4 on one day."


@pytest.mark.parametrize("count", [1, 2, 7, 30, 90])
@pytest.mark.parametrize("highest", [1, 3, 9, 10, 11, 99, 1000, 123_456])
def test_everything_is_drawn_within_the_picture(count: int, highest: int) -> None:
    days = [day(1 + place % 28, completed=highest, failed=place, lead_seconds=highest * 7.3) for place in range(count)]

    for chart in charts(statistics(*days, change_fail_rate=0.5)):
        for bar in chart.bars:
            assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH
            assert TOP - 0.01 <= bar.y <= bar.y + bar.height <= HEIGHT - BOTTOM + 0.01
        for point in chart.points:
            assert LEFT <= point.x <= WIDTH
            assert TOP - 0.01 <= point.y <= HEIGHT - BOTTOM + 0.01
        assert 2 <= len(chart.levels) <= 6
        assert len(chart.days) <= 9


def test_blocks_of_one_day_stand_on_one_another() -> None:
    outcomes = charts(statistics(day(1, completed=2, failed=1, rejected=3)))[0]

    tops = [bar.y for bar in outcomes.bars]
    assert [bar.tone for bar in outcomes.bars] == ["good", "bad", "off"]
    assert tops == sorted(tops, reverse=True)
    assert outcomes.bars[1].y + outcomes.bars[1].height == pytest.approx(outcomes.bars[0].y)
