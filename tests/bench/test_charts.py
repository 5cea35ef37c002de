"""Charts are SVG that any reader of XML takes, whatever the labels say."""

from xml.etree import ElementTree

import pytest

from bench.charts import Bar, bars, lines

SVG = "{http://www.w3.org/2000/svg}"


def test_each_bar_is_as_long_as_its_value_says_and_keeps_its_label() -> None:
    drawn = ElementTree.fromstring(bars("a < b & c", "a second", [Bar("<one>", 50, 40, 60), Bar("two", 100, 90, 120)]))

    one, two = (float(bar.attrib["width"]) for bar in drawn.findall(f"{SVG}rect") if bar.attrib["fill"] != "#ffffff")
    assert two == pytest.approx(2 * one, rel=0.01)
    assert {"a < b & c", "<one>", "two"} <= {told.text for told in drawn.findall(f"{SVG}text")}


def test_a_line_begins_and_ends_where_its_points_do() -> None:
    drawn = ElementTree.fromstring(
        lines("memory", "MB", {"rules": [(0, 0), (10, 100)], "executor": [(0, 50), (10, 50)]})
    )

    rules, executor = (line.attrib["points"].split() for line in drawn.findall(f"{SVG}polyline"))
    assert rules[0] == "60.0,380.0"
    assert len({point.split(",")[1] for point in executor}) == 1
