"""Details of health: for staff, and on one's own machine for whoever sits there."""

import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from councils.models import ApiKey, EngineSign, HealthRecord, HealthState, ModelInfo, Provider, User
from councils.tests.api.conftest import ClientOf

pytestmark = pytest.mark.django_db
ADDRESSES = ("/health/system", "/health/ollama", "/health/models")
EACH = pytest.mark.parametrize("address", ADDRESSES)


@pytest.fixture
def served(settings: Settings) -> None:
    """Anywhere but on one's own machine."""
    settings.LOCAL = False


@pytest.fixture
def records() -> None:
    now = timezone.now()
    for slug, kind in (("acme", "openai"), ("farm", "ollama")):
        provider = Provider.objects.create(
            name=slug, slug=slug, kind=kind, base_url=f"http://{slug}.example", api_key_sealed="sealed-planted"
        )
        model = ModelInfo.objects.create(provider=provider, name=f"{slug}-model")
        seen = {"provider": provider, "since": now, "checked_at": now}
        HealthRecord.objects.create(**seen, base_url=provider.base_url, state=HealthState.HEALTHY, latency_ms=12)
        HealthRecord.objects.create(**seen, model=model, state=HealthState.MISSING, problem="It is gone.")
        HealthRecord.objects.create(**seen, model=model, state=HealthState.HEALTHY, is_current=False)


@EACH
@pytest.mark.usefixtures("served")
def test_who_may_read_them(client_of: ClientOf, ada: User, staff: User, address: str) -> None:
    key, text = ApiKey.issue(user=staff, name="old")
    key.revoke()
    revoked = Client(headers={"authorization": f"Bearer {text}"})

    answers = [client.get(address) for client in (Client(), revoked, client_of(ada), client_of(staff))]

    assert [answer.status_code for answer in answers] == [401, 401, 403, 200]
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}


@EACH
@pytest.mark.usefixtures("served")
def test_a_browser_of_staff_may_read_them_too(client: Client, staff: User, ada: User, address: str) -> None:
    client.force_login(staff)
    assert client.get(address).status_code == 200
    client.force_login(ada)
    assert client.get(address).status_code == 403


@EACH
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "192.168.1.5"}, 401),
        ({"REMOTE_ADDR": ""}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.5"}, 401),
    ],
)
def test_on_ones_own_machine_they_are_open_to_that_machine_alone(address: str, sent: dict[str, Any], status: int) -> None:
    assert Client().get(address, **sent).status_code == status


@EACH
def test_behind_a_proxy_every_visitor_seems_to_be_this_machine_so_none_is(settings: Settings, address: str) -> None:
    settings.TRUSTED_PROXY_COUNT = 1

    assert Client().get(address).status_code == 401


@EACH
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_there_is_nothing_to_do_there(client_of: ClientOf, staff: User, address: str, method: str) -> None:
    assert getattr(client_of(staff), method)(address).status_code == 405


def test_the_machine(client: Client) -> None:
    now = timezone.now()
    EngineSign.objects.create(worker="here:1", kind="celery", started_at=now, seen_at=now, runs=3)
    body = client.get("/health/system").json()

    assert 0 <= body["cpu"]["percent"] <= 100
    assert body["memory"]["total"] > body["memory"]["available"] > 0
    assert body["disk"]["total"] > body["disk"]["free"] > 0
    assert body["process"]["memory"] > 1_000_000
    assert [(engine["worker"], engine["runs"]) for engine in body["engines"]] == [("here:1", 3)]


@pytest.mark.usefixtures("records")
def test_all_models_as_the_last_check_found_them(client: Client) -> None:
    body = client.get("/health/models").json()

    assert body["status"] == "degraded"
    assert [(row["provider"], row["model"], row["state"]) for row in body["models"]] == [
        ("acme", "acme-model", "missing"),
        ("farm", "farm-model", "missing"),
    ]
    assert [(row["provider"], row["state"], row["latency_ms"]) for row in body["addresses"]] == [
        ("acme", "healthy", 12),
        ("farm", "healthy", 12),
    ]


@pytest.mark.usefixtures("records")
def test_ollama_alone(client: Client) -> None:
    body = client.get("/health/ollama").json()

    assert {row["provider"] for row in (*body["models"], *body["addresses"])} == {"farm"}


def test_before_the_first_check_nothing_is_known(client: Client) -> None:
    assert client.get("/health/models").json() == {"status": "unknown", "addresses": [], "models": []}


@pytest.mark.usefixtures("records")
def test_no_key_is_told_to_anybody(client: Client) -> None:
    for address in ADDRESSES:
        assert not re.search(rb"sealed|planted|password|secret", client.get(address).content)


@EACH
def test_without_a_database_they_say_so(client_of: ClientOf, staff: User, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(staff)

    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("councils.models.health.EngineSignQuerySet.alive", away)
    monkeypatch.setattr("councils.models.health.HealthRecordQuerySet.current", away)
    answer = client.get(address)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.usefixtures("records")
def test_more_models_take_no_more_queries(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        client.get("/health/models")
