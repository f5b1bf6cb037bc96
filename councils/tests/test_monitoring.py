"""The dashboards, rules and configuration that ship: valid, and asking only for what the site tells."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from councils.tests.monitoring import DASHBOARDS, DEPLOY, dashboard, metrics_in, panels, questions, rules

PROVISIONING = DEPLOY / "grafana" / "provisioning"
# What Prometheus itself adds.
ITS_OWN = {"up"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}


@pytest.fixture
def told(client: Client, db: None) -> set[str]:
    """The names of all series that the site may tell."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {f"{family.name}{suffix}" for family in families for suffix in SUFFIXES.get(family.type, ("",))}


def the_datasource() -> dict[str, Any]:
    [source] = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    return dict(source)


def test_every_expression_names_only_metrics_that_there_are(told: set[str]) -> None:
    known = told | ITS_OWN | {rule["record"] for rule in rules() if "record" in rule}
    unknown = {where: missing for where, expression in questions() if (missing := metrics_in(expression) - known)}

    assert unknown == {}
    assert len(list(questions())) > 60


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (le) (rate(a_bucket{x=~"b|c"}[5m])) / (sum(d) > 0)', {"a_bucket", "d"}),
        ("provider:x:ratio10m > 0.5 and on (provider) e_total offset 5m", {"provider:x:ratio10m", "e_total"}),
        ('count(up{job="web"} == 1) or vector(0)', {"up"}),
    ],
)
def test_names_of_metrics_are_found_in_an_expression(expression: str, names: set[str]) -> None:
    assert metrics_in(expression.replace("offset 5m", "")) == names


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
class TestADashboard:
    def test_has_panels_that_lie_side_by_side(self, file: Path) -> None:
        boxes = {panel["title"]: panel["gridPos"] for panel in dashboard(file)["panels"]}
        assert len(boxes) == len(dashboard(file)["panels"])
        for name, box in boxes.items():
            assert 0 <= box["x"] < box["x"] + box["w"] <= 24, name
            assert box["h"] >= 1, name
        for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
            beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            assert beside or below, f"{one} covers {other}"

    def test_asks_the_datasource_that_is_provisioned(self, file: Path) -> None:
        board, source = dashboard(file), the_datasource()
        asked = [panel["datasource"] for panel in panels(board)]
        asked += [target["datasource"] for panel in panels(board) for target in panel["targets"]]
        asked += [variable["datasource"] for variable in board["templating"]["list"]]

        assert {(one["type"], one["uid"]) for one in asked} == {(source["type"], source["uid"])}

    def test_gives_every_figure_a_unit_and_every_judgement_its_limits(self, file: Path) -> None:
        board = dashboard(file)
        assert board["schemaVersion"] >= 39
        for panel in panels(board):
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"], panel["title"]
            assert defaults["thresholds"]["steps"][0]["value"] is None, panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])

    def test_uses_every_variable_that_it_offers(self, file: Path) -> None:
        board = dashboard(file)
        text = " ".join(target["expr"] for panel in panels(board) for target in panel["targets"])

        assert [variable["name"] for variable in board["templating"]["list"] if f"${variable['name']}" not in text] == []


def test_dashboards_have_names_of_their_own_and_lie_where_grafana_looks() -> None:
    boards = [dashboard(file) for file in DASHBOARDS]
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "council.yml").read_text())["providers"]
    mounts = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]

    assert {file.stem for file in DASHBOARDS} == {"overview", "providers-and-cost", "councils", "infrastructure"}
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards)
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in mounts


def test_prometheus_asks_the_services_of_the_compose_file_with_the_sites_token() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    named = {name: job["dns_sd_configs"][0] for name, job in jobs.items() if "dns_sd_configs" in job}

    assert {name: sd["names"] for name, sd in named.items()} == {"web": ["web"], "workers": ["celery_worker"]}
    assert str(named["web"]["port"]) == services["web"]["environment"]["PORT"]
    assert str(named["workers"]["port"]) == services["celery_worker"]["environment"]["METRICS_PORT"]
    for name in named:
        assert jobs[name]["authorization"]["credentials_file"] == f"/run/secrets/{services['prometheus']['secrets'][0]}"
        assert jobs[name].get("metrics_path", "/metrics") == "/metrics"
    assert the_datasource()["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


def test_every_alert_says_what_to_do_and_is_tried_both_ways() -> None:
    tried = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yml").read_text())["tests"]
    outcomes = {(case["alertname"], bool(case["exp_alerts"])) for test in tried for case in test["alert_rule_test"]}
    alerts = [rule for rule in rules() if "alert" in rule]

    assert outcomes == {(rule["alert"], fires) for rule in alerts for fires in (True, False)}
    for rule in alerts:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}
