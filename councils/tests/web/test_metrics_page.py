"""Who may read the figures of the site: closed to everybody who is not named."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from councils.telemetry import gauges
from councils.tests.factories import make_user
from councils.web import metrics as page

TOKEN = "a-token-of-this-test"
NAMES = {
    *("http_requests_total", "http_request_duration_seconds", "active_requests", "websocket_connections"),
    *("llm_requests_total", "llm_request_duration_seconds", "llm_tokens_total", "llm_cost_total", "llm_errors_total"),
    *("council_sessions_total", "council_stage_duration_seconds", "council_models_count", "peer_review_rankings"),
    *("cache_operations_total", "cache_hit_ratio", "cache_size_bytes"),
    *("db_operations_total", "db_operation_duration_seconds", "db_connection_pool_size"),
}


@pytest.fixture(autouse=True)
def fresh_gauges(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier test's database held is not told."""
    monkeypatch.setattr(page, "_gauges", gauges.DatabaseGauges())


@pytest.fixture
def production(settings: Settings) -> None:
    settings.SITE_PROFILE = "production"
    settings.METRICS_TOKEN = TOKEN


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_every_promised_name_is_told_with_its_kind(client: Client, db: None) -> None:
    told = client.get("/metrics").text

    assert {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE ")} >= NAMES


class TestInProduction:
    @pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(""), {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}])
    def test_there_is_nothing_for_who_shows_no_token(self, client: Client, db: None, production: None, headers: dict[str, str]) -> None:
        assert client.get("/metrics", headers=headers).status_code == 404

    def test_the_token_opens_without_a_host_a_session_or_https(
        self, client: Client, db: None, production: None, settings: Settings
    ) -> None:
        settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["council.example"]
        answer = client.get("/metrics", headers={**bearer(TOKEN), "Host": "web:8000"})

        assert answer.status_code == 200
        again = client.get("/metrics", headers={**bearer(TOKEN), "Host": "web:8000"}).text
        assert 'http_requests_total{method="GET",route="metrics",status="200"}' in again
        assert answer["Content-Type"].startswith("text/plain")
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(("flags", "status"), [({}, 404), ({"is_staff": True}, 404), ({"is_staff": True, "is_superuser": True}, 200)])
    def test_only_a_superuser_may_look(self, client: Client, db: None, production: None, flags: dict[str, Any], status: int) -> None:
        client.force_login(make_user(**flags))

        assert client.get("/metrics").status_code == status

    def test_without_a_token_no_token_is_right(self, client: Client, db: None, production: None, settings: Settings) -> None:
        settings.METRICS_TOKEN = None

        assert client.get("/metrics", headers=bearer("")).status_code == 404
        assert client.get("/metrics", headers=bearer("None")).status_code == 404

    def test_the_token_changes_nothing_and_opens_nothing_else(self, client: Client, db: None, production: None) -> None:
        assert client.post("/metrics", headers=bearer(TOKEN)).status_code == 405
        assert client.get("/metrics/", headers=bearer(TOKEN)).status_code == 404
        assert client.get("/", headers=bearer(TOKEN)).status_code == 302


class TestOnADevelopersMachine:
    def test_that_machine_may_look(self, client: Client, db: None) -> None:
        assert client.get("/metrics").status_code == 200

    @pytest.mark.parametrize("origin", [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"REMOTE_ADDR": ""}])
    def test_others_may_not_even_by_a_proxy_on_it(self, client: Client, db: None, origin: dict[str, str]) -> None:
        assert client.get("/metrics", **origin).status_code == 404  # type: ignore[arg-type]


def test_switched_off_there_is_nothing_for_anybody(client: Client, db: None, settings: Settings) -> None:
    settings.ENABLE_METRICS, settings.METRICS_TOKEN = False, TOKEN

    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers=bearer(TOKEN)).status_code == 404


def test_a_database_that_is_away_takes_only_its_own_figures_along(
    client: Client, settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.METRICS_TOKEN = TOKEN

    def away() -> None:
        raise OperationalError("the database is gone")

    monkeypatch.setattr(gauges, "_models", away)
    told = client.get("/metrics", headers=bearer(TOKEN)).text

    assert "council_database_up 0.0" in told
    assert "council_models_count" not in told
    assert "# TYPE http_requests_total counter" in told
