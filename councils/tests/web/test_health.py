"""What load balancers ask, and what they are not told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from councils.services import readiness as module
from councils.services.readiness import Component, Readiness, Status

OK = Component(Status.OK, 1.5)
BOTH = pytest.mark.parametrize("path", ["/health", "/healthz", "/health/", "/healthz/"])


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    module._observer.cache_clear()
    yield
    module._observer.cache_clear()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Component]:
    """What readiness finds; change it to find something else."""
    components = {"database": OK, "redis": OK, "celery": OK, "llm_providers": OK}
    monkeypatch.setattr("councils.web.health.readiness", lambda: Readiness(components))
    return components


def test_the_process_answers_without_a_database(client: Client) -> None:
    # No mark lets this test touch the database: a query would fail it.
    answer = client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("database", Status.OK, (200, "ok")),
        ("database", Status.DOWN, (503, "down")),
        ("redis", Status.DEGRADED, (200, "degraded")),
        ("celery", Status.DEGRADED, (200, "degraded")),
        ("llm_providers", Status.DEGRADED, (200, "degraded")),
        ("llm_providers", Status.UNKNOWN, (200, "ok")),
        ("redis", Status.NOT_USED, (200, "ok")),
    ],
)
def test_only_without_a_database_visitors_go_elsewhere(
    client: Client, found: dict[str, Component], name: str, status: Status, expected: tuple[int, str]
) -> None:
    found[name] = Component(status)
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["status"]) == expected
    assert answer.json()["components"][name] == {"status": status.value, "latency_ms": None}
    assert list(answer.json()["components"]) == ["database", "redis", "celery", "llm_providers"]


@BOTH
def test_nothing_is_asked_of_who_asks(client: Client, found: dict[str, Component], settings: Settings, path: str) -> None:
    """Probes come by number, over http, without a cookie; and leave nothing behind."""
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["council.example"]

    answer = client.get(path, headers={"host": "10.1.2.3:8000"})

    assert answer.status_code == 200
    assert not answer.cookies
    assert "X-RateLimit-Limit" not in answer.headers
    assert (answer["Cache-Control"], answer["Content-Type"]) == ("no-store", "application/json")


@BOTH
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_there_is_nothing_to_do_there(found: dict[str, Component], path: str, method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(path)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@BOTH
def test_head_is_get_without_the_words(client: Client, found: dict[str, Component], path: str) -> None:
    assert client.head(path).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_public_is_told_no_names_numbers_of_versions_or_addresses(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = settings.REDIS_CACHE_URL = "redis://secret-host:secret-password@127.0.0.1:9/0"
    module._client.cache_clear()
    body: dict[str, Any] = json.loads(client.get("/healthz").content)

    assert set(body) == {"status", "components"}
    for component in body["components"].values():
        assert set(component) == {"status", "latency_ms"}
        assert component["status"] in {"ok", "degraded", "down", "unknown", "not_used"}
        assert component["latency_ms"] is None or isinstance(component["latency_ms"], int | float)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthzz", "/health/x", "/health//", "/healthz/x"])
def test_no_other_address_is_caught(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
