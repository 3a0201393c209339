"""The dashboard and the alert rules use exported metrics, and are valid for Grafana and Prometheus."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes import FakeUpstream
from tests.running import ask, model, running, settings

DEPLOY = Path(__file__).parent.parent / "deploy"
DASHBOARD: Any = json.loads((DEPLOY / "grafana" / "mom-gateway.json").read_text(encoding="utf-8"))
RULES: Any = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
OPERATIONS = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
PANELS: list[Any] = DASHBOARD["panels"]
ALERTS: list[Any] = [rule for group in RULES["groups"] for rule in group["rules"]]
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
COLUMNS = 24

SELECTOR = re.compile(r"\b((?:mom|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|ignoring)\s*\(([^)]*)\)")
SET_BY_PROMETHEUS = {"job", "instance", "le"}


def expressions() -> Iterator[str]:
    """Yield all PromQL that is written down, that of the dashboard's variables as well."""
    for panel in PANELS:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (str(each["definition"]) for each in DASHBOARD["templating"]["list"] if "definition" in each)
    yield from (alert["expr"] for alert in ALERTS)


@pytest.fixture
async def exported(upstream: FakeUpstream) -> dict[str, set[str]]:
    """Give every sample's name that a gateway may export, with its labels as far as they were seen."""
    found: dict[str, set[str]] = {}
    async with running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        await gateway.chat()
        await gateway.chat(ask(stream=True))
        await gateway.request("GET", "/nowhere")
        scraped = (await gateway.request("GET", "/metrics")).raw.decode()
    for family in text_string_to_metric_families(scraped):
        names = [family.name.removesuffix("_total") + suffix for suffix in SUFFIXES[family.type]]
        labels = {label for sample in family.samples for label in sample.labels}
        found |= dict.fromkeys(names, labels)
    # There where the configuration has a limit, and where the gateway is a process.
    limits: dict[str, set[str]] = {"mom_cost_limit": set(), "mom_config_last_reload_successful": set()}
    # And there where candidates are code.
    evidence = {
        "mom_evidence_total": {"mixture", "by", "decided"},
        "mom_evidence_candidates_total": {"mixture", "result"},
    }
    return {**found, **limits, **evidence}


async def test_every_metric_that_is_asked_for_is_exported(exported: dict[str, set[str]]) -> None:
    """With the labels by which it is selected."""
    asked = list(expressions())
    for expression in asked:
        for name, matchers in SELECTOR.findall(expression):
            assert name in exported, expression
            known = exported[name] | SET_BY_PROMETHEUS
            if exported[name]:
                assert set(MATCHER.findall(matchers)) <= known, expression
    named = {name for expression in asked for name, _ in SELECTOR.findall(expression)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if name.startswith("mom_")}
    assert shown >= ours


async def test_every_metric_is_explained(exported: dict[str, set[str]]) -> None:
    """On the operations page."""
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if name.startswith("mom_")}
    assert set(re.findall(r"`(mom_\w+)`", OPERATIONS)) == ours


async def test_sums_are_grouped_by_labels_that_exist(exported: dict[str, set[str]]) -> None:
    """A label that is misspelt would quietly make one line of all."""
    labels = set().union(*exported.values()) | SET_BY_PROMETHEUS
    for expression in expressions():
        for grouping in GROUPING.findall(expression):
            assert {label.strip() for label in grouping.split(",")} <= labels, expression


def test_the_dashboard_can_be_imported() -> None:
    """It has a version of the schema, a stable uid, and finds its data source by a variable."""
    assert DASHBOARD["schemaVersion"] >= 36
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["id"] is None
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    text = json.dumps(DASHBOARD)
    used = set(re.findall(r"\$(?!__)\{?(\w+)", text))
    assert used == set(variables)
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"${datasource}", DASHBOARD["uid"]}


def test_panels_have_ids_and_places_of_their_own() -> None:
    """Each in the grid of 24 columns, none over another, each with something to show."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"]
            letters = [target["refId"] for target in panel["targets"]]
            assert letters
            assert len(set(letters)) == len(letters)
    for one, other in combinations((panel["gridPos"] for panel in PANELS), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_alerts_say_how_bad_it_is_and_what() -> None:
    """Each has a name of its own, a severity and one sentence; the operations page tells what to do."""
    names = [alert["alert"] for alert in ALERTS]
    assert len(set(names)) == len(names)
    for alert in ALERTS:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"]["summary"]
        assert f"`{alert['alert']}`" in OPERATIONS
