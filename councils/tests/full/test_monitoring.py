"""A real Prometheus reads a real web process and a real worker, by the rules and the configuration that ship."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from benchmarks.fake.server import Running
from councils.tests.full.stack import Stack, free_port, installation, until
from councils.tests.monitoring import DEPLOY, questions

pytestmark = pytest.mark.full

TOKEN = "a-token-of-this-test"
CONFIG = DEPLOY / "prometheus" / "prometheus.yml"
# The name is the product's; the tool would like it without this end.
KNOWN_LINT = {"council_models_count"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A stack that has done its work, and the Prometheus that watched it."""

    stack: Stack
    worker_port: int
    url: str
    run: dict[str, Any]

    def query(self, expression: str) -> httpx.Response:
        return httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30)

    def value(self, expression: str) -> float:
        """The one value of an expression; minus one where there is none yet."""
        found = self.query(expression).json()["data"]["result"]
        return float(found[0]["value"][1]) if len(found) == 1 else -1.0


def promtool(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False, timeout=60)


def config_for(folder: Path, targets: dict[str, int]) -> Path:
    """The configuration that ships, with this machine's ports instead of names, and impatient."""
    config = yaml.safe_load(CONFIG.read_text())
    (folder / "token").write_text(TOKEN)
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    for job in config["scrape_configs"]:
        if job.pop("dns_sd_configs", None):
            job["authorization"]["credentials_file"] = str(folder / "token")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture(scope="module")
def asked(fake_provider: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder, port, worker_port = tmp_path_factory.mktemp("prometheus"), free_port(), free_port()
    with (
        installation("monitored", METRICS_TOKEN=TOKEN) as stack,
        stack.web(),
        stack.worker("watched", METRICS_PORT=str(worker_port), METRICS_BIND_ADDRESS="127.0.0.1"),
    ):
        config = config_for(folder, {"web": stack.port, "workers": worker_port, "prometheus": port})
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (folder / "log").open("wb") as log:
            prometheus = subprocess.Popen([*command, "--log.level=warn"], stdout=log, stderr=log)
        try:
            access = stack.stage(fake_provider.url)
            run = stack.ended(access, stack.start_run(access))
            watched = Asked(stack, worker_port, f"http://127.0.0.1:{port}", run)
            until(lambda: _holds(watched), "Prometheus has read the end of the run")
            yield watched
        finally:
            prometheus.terminate()
            prometheus.wait()


def _holds(asked: Asked) -> bool:
    try:
        return asked.value('sum(council_sessions_total{status="succeeded"})') == 1
    except (httpx.TransportError, json.JSONDecodeError):
        return False


def test_prometheus_reaches_both_and_knows_what_the_run_did(asked: Asked) -> None:
    calls, totals = len(asked.run["opinions"]) + len(asked.run["reviews"]) + 1, asked.run["totals"]
    assert asked.run["status"] == "succeeded"
    # A busy process may miss the second that it has for one answer, and the two are not read at the same moment.
    until(lambda: asked.value('up{job="web"}') == asked.value('up{job="workers"}') == 1, "both are reached")
    posted = 'sum(http_requests_total{job="web", route="api:run-list", method="POST", status="202"})'
    until(lambda: asked.value(posted) == 1, "the question is counted")
    # The worker has driven it, so it counted; the web process only took the question.
    assert asked.value('sum(llm_requests_total{job="workers", status="done"})') == calls
    assert asked.value('sum(llm_requests_total{job="web"}) or vector(0)') == 0
    assert asked.value("sum(llm_tokens_total)") == totals["prompt_tokens"] + totals["completion_tokens"]
    assert asked.value("sum(llm_cost_total)") == pytest.approx(float(totals["cost_usd"]))
    until(lambda: asked.value("max(council_engines_alive)") == 1, "the web process tells of the worker")
    assert asked.value("council_models_count") == 4
    assert asked.value('sum(db_connection_pool_size{job="web"})') >= 1
    assert asked.value('sum(db_operations_total{job="workers", operation="update"})') > calls


def test_every_expression_that_ships_is_understood(asked: Asked) -> None:
    wrong = {where: answer.text for where, expression in questions() if (answer := asked.query(expression)).status_code != 200}

    assert wrong == {}


def test_no_alert_fires_on_an_installation_that_works(asked: Asked) -> None:
    firing = [alert["labels"]["alertname"] for alert in httpx.get(f"{asked.url}/api/v1/alerts", timeout=30).json()["data"]["alerts"]]
    loaded = httpx.get(f"{asked.url}/api/v1/rules", timeout=30).json()["data"]["groups"]

    assert firing == []
    assert {rule["health"] for group in loaded for rule in group["rules"]} <= {"ok", "unknown"}


@pytest.mark.parametrize("process", ["web", "worker"])
def test_what_a_process_tells_is_well_formed(asked: Asked, process: str) -> None:
    port = asked.stack.port if process == "web" else asked.worker_port
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    checked = promtool("check", "metrics", text=told.text)

    assert told.status_code == 200
    complaints = [line for line in checked.stderr.splitlines() if line.split(" ")[0] not in KNOWN_LINT]
    assert complaints == []


def test_the_files_that_ship_are_accepted(tmp_path: Path) -> None:
    rules = str(DEPLOY / "prometheus" / "rules.yml")
    for arguments in (
        ("check", "config", "--syntax-only", str(CONFIG)),
        ("check", "config", str(config_for(tmp_path, {"web": 1, "workers": 2, "prometheus": 3}))),
        ("check", "rules", "--lint=all", "--lint-fatal", rules),
        ("test", "rules", str(DEPLOY / "prometheus" / "rules_test.yml")),
    ):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
