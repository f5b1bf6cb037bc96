"""Whether this process can serve: what each component says, and that nothing that hangs holds the answer up."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from councils.models import EngineSign, HealthRecord, HealthState, Provider
from councils.services import readiness as module
from councils.services.readiness import Component, Readiness, Status, readiness

# Probes ask in threads of their own, which see only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh(settings: Settings) -> Iterator[None]:
    """A process that has asked nothing yet, without Redis."""
    settings.REDIS_URL = settings.REDIS_CACHE_URL = ""
    module._observer.cache_clear()
    module._migrated.clear()
    module._client.cache_clear()
    yield
    module._observer.cache_clear()


def statuses() -> dict[str, str]:
    return {name: component.status.value for name, component in readiness().components.items()}


def engine(seen: timedelta = timedelta(0)) -> None:
    now = timezone.now() - seen
    EngineSign.objects.create(worker="here:1", kind="embedded", started_at=now, seen_at=now)


def provider(slug: str, state: HealthState | None, *, checked: timedelta = timedelta(0), **fields: object) -> Provider:
    row = Provider.objects.create(name=slug, slug=slug, kind="openai", base_url=f"https://{slug}.example/v1", **fields)
    if state is not None:
        at = timezone.now() - checked
        HealthRecord.objects.create(provider=row, base_url=row.base_url, state=state, since=at, checked_at=at, latency_ms=7)
    return row


def test_a_site_in_order_is_ok() -> None:
    engine()
    provider("acme", HealthState.HEALTHY)
    found = readiness()

    assert found.status is Status.OK
    assert statuses() == {"database": "ok", "redis": "not_used", "celery": "ok", "llm_providers": "ok"}
    assert found.components["llm_providers"].latency_ms == 7
    assert found.components["database"].latency_ms is not None


def test_without_an_engine_runs_wait() -> None:
    engine(seen=timedelta(minutes=1))

    assert statuses()["celery"] == "degraded"
    assert readiness().status is Status.DEGRADED


def test_a_provider_fails_when_no_address_of_it_works() -> None:
    engine()
    row = provider("acme", HealthState.FAILING)
    provider("other", HealthState.SLOW)
    assert statuses()["llm_providers"] == "degraded"
    now = timezone.now()
    HealthRecord.objects.create(provider=row, base_url="https://spare.example", state=HealthState.HEALTHY, since=now, checked_at=now)
    module._observer.cache_clear()

    assert statuses()["llm_providers"] == "ok"


def test_a_provider_that_refuses_our_key_fails_whatever_its_list_says() -> None:
    row = provider("acme", HealthState.HEALTHY)
    Provider.objects.mark(row.pk, "Wrong key.")

    assert statuses()["llm_providers"] == "degraded"


def test_what_was_found_long_ago_is_no_news() -> None:
    engine()
    provider("acme", HealthState.FAILING, checked=timedelta(hours=1))

    assert statuses()["llm_providers"] == "unknown"
    assert readiness().status is Status.OK


def test_providers_that_are_switched_off_do_not_count() -> None:
    engine()
    provider("acme", HealthState.HEALTHY)
    provider("old", HealthState.FAILING, is_active=False)

    assert statuses()["llm_providers"] == "ok"


def test_without_a_database_nobody_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> bool:
        raise OperationalError("connection refused")

    monkeypatch.setattr(module, "_is_migrated", away)

    assert statuses() == {"database": "down", "redis": "not_used", "celery": "unknown", "llm_providers": "unknown"}
    assert readiness().status is Status.DOWN


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only servers become read-only")
def test_a_database_that_only_lets_itself_be_read_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    engine()
    assert statuses()["database"] == "ok"
    read_only = connection.settings_dict["OPTIONS"] | {"options": "-c default_transaction_read_only=on"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", read_only)
    module._observer.cache_clear()

    assert statuses()["database"] == "down"
    assert readiness().status is Status.DOWN


def test_before_its_migrations_a_new_version_is_not_ready_and_it_finds_out_when_they_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    engine()
    monkeypatch.setattr("councils.services.readiness.MigrationExecutor.migration_plan", lambda *_: [("one", False)])
    assert statuses()["database"] == "down"
    monkeypatch.undo()
    module._observer.cache_clear()

    assert statuses()["database"] == "ok"
    monkeypatch.setattr("councils.services.readiness.MigrationExecutor.migration_plan", lambda *_: [("one", False)])
    module._observer.cache_clear()
    # It was asked once too often for load balancers: tables do not go away.
    assert statuses()["database"] == "ok"


def test_a_redis_that_is_down_degrades(settings: Settings) -> None:
    engine()
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    assert statuses()["redis"] == "degraded"
    assert readiness().status is Status.DEGRADED


def test_a_redis_that_accepts_and_never_answers_holds_nothing_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    engine()
    monkeypatch.setattr(module, "DEADLINE_S", 0.3)
    monkeypatch.setattr(module, "REDIS_TIMEOUT_S", 60.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        start = time.monotonic()
        found = statuses()
        took = time.monotonic() - start
        module._observer().look()
        asking = [thread for thread in threading.enumerate() if thread.name == "readiness" and thread.is_alive()]

    assert (found["redis"], found["database"]) == ("degraded", "ok")
    # Far from the minute that this Redis was given, near enough to the deadline for any machine.
    assert took < 30
    assert len(asking) <= 1


def test_a_question_that_is_still_open_is_not_asked_again() -> None:
    go_on, asked = threading.Event(), []

    def hang() -> Iterator[dict[str, Component]]:
        asked.append(1)
        go_on.wait()
        yield {"redis": Component(Status.OK)}

    probe = module._Probe(hang, {"redis": Component(Status.DEGRADED)})
    for _ in range(5):
        probe.begin()
        assert probe.result(time.monotonic())["redis"].status is Status.DEGRADED
    go_on.set()

    assert probe.result(time.monotonic() + 30)["redis"].status is Status.OK
    assert len(asked) == 1


def test_a_database_that_was_well_is_slow_before_it_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, well = threading.Event(), Component(Status.OK, 1.0)
    go_on.set()

    def ask() -> Iterator[dict[str, Component]]:
        go_on.wait()
        yield {"database": well}

    probe = module._Probe(ask, {"database": Component(Status.DOWN)}, late={"database": Component(Status.DEGRADED)})

    def seen(patience_s: float) -> Status:
        probe.begin()
        return probe.result(time.monotonic() + patience_s)["database"].status

    monkeypatch.setattr(module, "HANGS_S", 1e6)
    assert seen(30) is Status.OK
    go_on.clear()
    assert (seen(0), seen(0)) == (Status.DEGRADED, Status.DEGRADED)
    monkeypatch.setattr(module, "HANGS_S", 0.0)
    assert seen(0) is Status.DOWN
    monkeypatch.setattr(module, "HANGS_S", 1e6)
    well = Component(Status.DOWN)
    go_on.set()
    assert probe.result(time.monotonic() + 30)["database"].status is Status.DOWN
    go_on.clear()
    # The last answer was no good one: no answer is no better.
    assert seen(0) is Status.DOWN
    go_on.set()


def test_a_disk_without_room_degrades_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine()
    monkeypatch.setattr(module, "_database_file", lambda: tmp_path / "council.sqlite3")
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 10**18)
    for _ in range(2):
        module._observer.cache_clear()
        assert statuses()["database"] == "degraded"
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 0)
    module._observer.cache_clear()

    assert statuses()["database"] == "ok"
    assert [record.levelname for record in caplog.records if "nearly full" in record.message] == ["ERROR"]


def test_what_the_database_said_holds_while_it_still_looks_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    engine()
    go_on = threading.Event()
    monkeypatch.setattr(module, "DEADLINE_S", 20.0)
    readiness()
    module._observer.cache_clear()
    monkeypatch.setattr(module, "DEADLINE_S", 3.0)
    monkeypatch.setattr(module, "_providers", lambda: go_on.wait() and Component(Status.OK))
    try:
        assert statuses() == {"database": "ok", "redis": "not_used", "celery": "ok", "llm_providers": "unknown"}
    finally:
        go_on.set()


def test_visitors_who_hold_every_connection_of_the_pool_do_not_make_it_down(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[object] = []
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", connection.settings_dict["OPTIONS"] | {"pool": {"max_size": 1}})

    def ask() -> None:
        module._connect_apart()
        pools.append(connection.settings_dict["OPTIONS"].get("pool"))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert pools == [None]
    assert "pool" in connection.settings_dict["OPTIONS"]


def test_who_asks_a_hundred_times_a_second_costs_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def counted(_: object) -> Readiness:
        looks.append(1)
        return Readiness({})

    monkeypatch.setattr("councils.services.readiness._Observer._ask", counted)
    monkeypatch.setattr(module, "FRESH_S", 60.0)
    for _ in range(100):
        readiness()

    assert len(looks) == 1
