"""The text that Prometheus reads, a worker's own server of it, and several processes that count together."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from django.conf import settings as site
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from councils.telemetry import exposition
from councils.telemetry.exposition import WorkerServer, is_token
from councils.tests.full.stack import free_port


@pytest.fixture
def port(settings: Settings) -> int:
    settings.METRICS_PORT, settings.METRICS_BIND_ADDRESS, settings.METRICS_TOKEN = free_port(), "127.0.0.1", None
    return int(settings.METRICS_PORT)


@pytest.fixture
def server() -> Iterator[WorkerServer]:
    made = WorkerServer()
    yield made
    made.stop()


def fetch(port: int, path: str = "/metrics", method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False)


class TestAWorkersServer:
    def test_tells_its_figures_and_nothing_else(self, port: int, server: WorkerServer) -> None:
        server.start()
        answer = fetch(port)

        assert answer.status_code == HTTPStatus.OK
        names = {family.name for family in text_string_to_metric_families(answer.text)}
        assert {"llm_requests", "council_sessions", "db_operations"} <= names
        # What the database knows is told once, by the web process.
        assert "council_models_count" not in names
        assert fetch(port, method="HEAD").text == ""
        for path, method in (("/", "GET"), ("/metrics/", "GET"), ("/metrics", "POST"), ("/admin/", "GET")):
            assert (fetch(port, path, method).status_code, fetch(port, path, method).text) == (HTTPStatus.NOT_FOUND, "")

    def test_asks_for_the_token_where_there_is_one(self, port: int, server: WorkerServer, settings: Settings) -> None:
        settings.METRICS_TOKEN = "a-token-of-this-test"
        server.start()

        assert fetch(port).status_code == HTTPStatus.NOT_FOUND
        assert fetch(port, Authorization="Bearer another").status_code == HTTPStatus.NOT_FOUND
        assert fetch(port, Authorization="Bearer a-token-of-this-test").status_code == HTTPStatus.OK

    def test_finds_its_port_taken_and_the_worker_goes_on(self, port: int, server: WorkerServer, caplog: pytest.LogCaptureFixture) -> None:
        server.start()
        other = WorkerServer()
        with caplog.at_level(logging.WARNING):
            other.start()
        other.stop()

        assert f"cannot listen on 127.0.0.1:{port} (METRICS_PORT)" in caplog.text
        assert fetch(port).status_code == HTTPStatus.OK

    @pytest.mark.parametrize(("name", "value"), [("METRICS_PORT", 0), ("ENABLE_METRICS", False)])
    def test_does_not_listen_where_it_is_switched_off(
        self, port: int, server: WorkerServer, settings: Settings, name: str, value: object
    ) -> None:
        setattr(settings, name, value)
        server.start()

        with pytest.raises(httpx.ConnectError):
            fetch(port)

    def test_that_has_stopped_leaves_its_port(self, port: int) -> None:
        for _ in range(2):
            server = WorkerServer()
            server.start()
            assert fetch(port).status_code == HTTPStatus.OK
            server.stop()


@pytest.mark.parametrize("told", ["", "Bearer", "Bearer ", "secret", "Bearer sécret", "Basic secret"])
def test_nothing_but_the_token_is_the_token(settings: Settings, told: str) -> None:
    settings.METRICS_TOKEN = "secret"

    assert not is_token(told)
    assert is_token("Bearer secret")
    assert is_token("bearer secret")


COUNT = """
import os, sys
from django.conf import settings
settings.configure(ENABLE_METRICS=True, METRICS_TOKEN=None)
from councils.telemetry import metrics
from councils.telemetry.exposition import exposition
metrics.request_began(); metrics.request_began()
metrics.request_ended(method="GET", route="ask", status=200, took_s=0.2)
metrics.session_ended("succeeded")
metrics.ranked(model="m", provider="p", place=2)
print("told" if "tell" in sys.argv else "", exposition().decode() if "tell" in sys.argv else "", flush=True)
if "die" in sys.argv:
    os.kill(os.getpid(), 9)
"""


def test_processes_of_one_host_count_together_and_the_dead_have_nothing_open(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
    }
    for words in (["die"], []):
        subprocess.run([sys.executable, "-c", COUNT, *words], cwd=site.BASE_DIR, env=environment, check=False, timeout=60)
    last = subprocess.run(
        [sys.executable, "-c", COUNT, "tell"], cwd=site.BASE_DIR, env=environment, check=True, timeout=60, stdout=subprocess.PIPE, text=True
    )
    families = text_string_to_metric_families(last.stdout.partition("told")[2].lstrip())
    values = {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}

    assert values["http_requests_total", "GET", "ask", "200"] == 3
    assert values["council_sessions_total", "succeeded"] == 3
    assert values["peer_review_rankings_sum", "m"] == 6
    # Two of the three are gone, one by force: only the last one's request is open.
    assert values["active_requests",] == 1


def test_the_text_is_read_by_prometheus_own_rules(db: None) -> None:
    families = list(text_string_to_metric_families(exposition.exposition().decode()))

    assert all(family.documentation for family in families)
    assert not [family.name for family in families if family.name.endswith("_created")]
