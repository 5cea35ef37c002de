"""The dashboard and the alerts in `deploy/` ask for metrics that the code has, and lead to runbooks that exist."""

import importlib
import re

import promql_parser as promql
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from tests.fixtures.observing import OF_PROMETHEUS, ROOT, Asked, alert_rules, asked, expressions, panels

# Labels that scraping adds.
SCRAPED = {"job", "instance", "le"}


def label_names() -> dict[str, set[str]]:
    """Give the labels of every metric that the processes make, by the names of its series."""
    for name in ("ingress", "promotion", "rules", "executor", "inventory", "notifications"):
        importlib.import_module(f"services.{name}.app")
    found: dict[str, set[str]] = {}
    for collector in list(REGISTRY._collector_to_names):
        if isinstance(collector, MetricWrapperBase):
            for series in REGISTRY._collector_to_names[collector]:
                found[series] = set(collector._labelnames)
    return found


LABELS = label_names()


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_an_expression_is_promql(where: str, expression: str) -> None:
    assert promql.parse(expression), where


@pytest.mark.parametrize("wanted", asked(), ids=lambda one: f"{one.where}: {one.metric}")
def test_what_is_asked_for_is_made(wanted: Asked) -> None:
    assert wanted.metric in LABELS.keys() | OF_PROMETHEUS
    assert wanted.labels <= LABELS.get(wanted.metric, set()) | SCRAPED


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_what_is_summed_by_is_a_label_of_all_that_is_summed(where: str, expression: str) -> None:
    metrics = {each.metric for each in asked() if each.where == where} - OF_PROMETHEUS
    grouped = {name.strip() for names in re.findall(r"\bby \(([^)]*)\)", expression) for name in names.split(",")}

    for metric in metrics & set(re.findall(r"\w+", expression)):
        assert grouped <= LABELS[metric] | SCRAPED, (where, metric)


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_runbook(rule: dict[str, dict[str, str]]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)

    assert anchor in {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_an_alert_has_a_name_of_its_own_and_a_time_that_is_one() -> None:
    names = [rule["alert"] for rule in alert_rules()]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\d+[smh]", rule.get("for", "1m")) for rule in alert_rules())


def test_a_panel_says_what_it_shows_and_overlaps_no_other() -> None:
    shown = panels()
    cells = [
        (x, y)
        for panel in shown
        for place in (panel["gridPos"],)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert all(panel["description"] and panel["targets"] for panel in shown)
    assert len(set(cells)) == len(cells)


def test_the_page_about_operations_names_every_metric_of_the_code() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in LABELS if name.startswith("promotion_")}
    ours = {name for name in families if name + "_total" not in families}

    assert {name for name in ours if f"`{name}`" not in page} == set()


def test_compose_gives_prometheus_and_grafana_what_is_in_deploy() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    watching = {name: compose["services"][name] for name in ("prometheus", "grafana")}
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))

    assert all(service["profiles"] == ["observability"] for service in watching.values())
    for service in watching.values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), source
    processes = {
        name
        for name, service in compose["services"].items()
        if service.get("command", [""])[0] == "run" and service.get("healthcheck") != {"disable": True}
    }
    assert processes == set(scraped["scrape_configs"][0]["dns_sd_configs"][0]["names"])
