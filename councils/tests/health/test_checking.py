"""The health check against a real server: what is asked, what is kept, and that nothing is paid."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from benchmarks.fake.server import Running, running
from councils.engine.errors import AnswerTimeout, AuthenticationFailed, ProviderError
from councils.health import asking
from councils.health.checking import check_health
from councils.models import HealthRecord, HealthState, ModelInfo, Provider, ProviderEndpoint

pytestmark = pytest.mark.django_db
PAID = {"cost_per_1k_input_tokens": "0.1", "cost_per_1k_output_tokens": "0.1"}
FREE = {"cost_per_1k_input_tokens": 0, "cost_per_1k_output_tokens": 0}


def server(*models: str) -> AbstractContextManager[Running]:
    return running(models=models)


def provider(url: str, *models: str, slug: str = "acme", prices: dict[str, Any] = PAID, **fields: Any) -> Provider:
    values = {"name": slug, "kind": "openai", "base_url": f"{url}/v1", "allow_private_address": True} | fields
    row = Provider.objects.create(slug=slug, **values)
    for name in models:
        ModelInfo.objects.create(provider=row, name=name, **prices)
    return row


def states(rows: Sequence[HealthRecord] | None = None) -> dict[str, str]:
    """The present state of each model by name, and of each address."""
    current = HealthRecord.objects.current().select_related("model")
    return {record.model.name if record.model else record.base_url: record.state for record in current}


@pytest.mark.parametrize(("kind", "path"), [("openai", "/v1"), ("ollama", ""), ("anthropic", "")])
def test_every_dialect_is_asked_for_its_list(kind: str, path: str) -> None:
    with server("one", "two") as fake:
        provider(fake.url, "one", kind=kind, base_url=fake.url + path)

        assert check_health() == {"healthy": 1, "unhealthy": 0, "unknown": 0}
        assert states() == {"one": "healthy", fake.url + path: "healthy"}


def test_nothing_is_called_that_would_cost() -> None:
    with server("one") as fake:
        provider(fake.url, "one", "two", slug="with-list", prices=FREE)
        provider(fake.url, "three", slug="without-list", base_url=f"{fake.url}/nowhere", prices=PAID)

        counts = check_health()

        assert counts == {"healthy": 1, "unhealthy": 0, "unknown": 2}
        assert fake.office.entries == []


def test_a_free_model_of_a_server_without_a_list_is_asked_for_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as fake:
        provider(fake.url, "fake:tokens=1", "fake:fault=503", "fake:fault=401", prices=FREE)

        async def none(*_: Any) -> None:
            return None

        monkeypatch.setattr(asking, "_names", none)
        counts = check_health()

        assert counts == {"healthy": 1, "unhealthy": 2, "unknown": 0}
        assert states()["fake:tokens=1"] == HealthState.HEALTHY
        assert len(fake.office.entries) == 3


def test_what_is_switched_off_is_not_asked() -> None:
    with server("one") as fake:
        off = provider(fake.url, "one", is_active=False)
        on = provider(fake.url, "one", "two", slug="on")
        ModelInfo.objects.filter(provider=on, name="two").update(is_active=False)
        ProviderEndpoint.objects.create(provider=on, base_url="http://127.0.0.1:9/v1", allow_private_address=True, is_active=False)

        assert check_health() == {"healthy": 1, "unhealthy": 0, "unknown": 0}
        assert not HealthRecord.objects.filter(provider=off).exists()
        assert HealthRecord.objects.of_addresses().count() == 1


def test_a_state_that_lasts_is_one_record_that_counts_its_checks() -> None:
    with server("one") as fake:
        provider(fake.url, "one")
        for _ in range(3):
            check_health()

    record = HealthRecord.objects.of_models().get()
    assert (record.checks, record.state, record.is_current) == (3, "healthy", True)
    assert record.checked_at > record.since
    assert record.latency_ms is not None


def test_a_failure_and_its_end_are_told_with_their_time() -> None:
    with server("one") as fake:
        row = provider(fake.url, "one")
        check_health()
        Provider.objects.filter(pk=row.pk).update(base_url="http://127.0.0.1:9/v1")
        ProviderEndpoint.objects.create(provider=row, base_url=f"{fake.url}/v1", allow_private_address=True)
        assert check_health()["healthy"] == 1
        ProviderEndpoint.objects.all().delete()
        assert check_health() == {"healthy": 0, "unhealthy": 1, "unknown": 0}
        down = HealthRecord.objects.current().get(base_url="http://127.0.0.1:9/v1")
        assert (down.state, down.checks) == ("failing", 2)
        assert down.problem
        Provider.objects.filter(pk=row.pk).update(base_url=f"{fake.url}/v1")

        assert check_health()["healthy"] == 1

    told = HealthRecord.objects.of_models().order_by("pk").values_list("state", "is_current")
    assert list(told) == [("healthy", False), ("failing", False), ("healthy", True)]
    # An address that is no more has no present state.
    assert states() == {"one": "healthy", f"{fake.url}/v1": "healthy"}


def test_a_model_that_leaves_the_list_is_told_from_one_that_never_was_on_it() -> None:
    with server("one") as fake:
        provider(fake.url, "one", "alias")
        check_health()
        fake.office.models = ("two",)

        assert check_health() == {"healthy": 0, "unhealthy": 1, "unknown": 1}

    assert states()["one"] == HealthState.MISSING
    assert states()["alias"] == HealthState.UNKNOWN
    with server("two") as fake:
        Provider.objects.update(base_url=f"{fake.url}/v1")
        check_health()
    assert states()["one"] == HealthState.MISSING


def test_an_address_that_may_not_be_contacted_fails_and_is_not_contacted() -> None:
    with server("one") as fake:
        provider(fake.url, "one", allow_private_address=False)

        assert check_health()["unhealthy"] == 1

    assert "inside the network" in HealthRecord.objects.of_addresses().get().problem


def test_a_key_that_cannot_be_read_is_a_failure_not_a_missing_list() -> None:
    with server("one") as fake:
        provider(fake.url, "one", prices=FREE)
        Provider.objects.update(api_key_sealed="gibberish")

        assert check_health()["unhealthy"] == 1
        assert fake.office.entries == []


def test_a_refused_key_is_marked_and_taken_back_only_by_who_marked_it(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = [True]

    async def names(*_: Any) -> tuple[str, ...]:
        if refuse[0]:
            raise AuthenticationFailed("wrong key")
        return ("one",)

    monkeypatch.setattr(asking, "_names", names)
    row = provider("http://127.0.0.1:9", "one")
    check_health()
    assert Provider.objects.in_trouble().exists()
    refuse[0] = False
    check_health()
    assert not Provider.objects.in_trouble().exists()

    Provider.objects.mark(row.pk, "A run was refused.")
    check_health()
    assert Provider.objects.in_trouble().get().problem == "A run was refused."


def test_a_refused_key_is_taken_back_after_other_failures_too(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = AnswerTimeout("No answer.")
    outcomes: list[ProviderError | None] = [AuthenticationFailed("wrong key"), silent, silent, None]

    async def names(*_: Any) -> tuple[str, ...]:
        if (fault := outcomes.pop(0)) is not None:
            raise fault
        return ("one",)

    monkeypatch.setattr(asking, "_names", names)
    row = provider("http://127.0.0.1:9", "one")
    noted = []
    while outcomes:
        check_health()
        noted.append(bool(Provider.objects.get(pk=row.pk).problem))

    # No answer at all says nothing about the key.
    assert noted == [True, True, True, False]


def test_many_addresses_are_asked_at_once_but_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now, most = [0], [0]

    async def names(*_: Any) -> tuple[str, ...]:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.01)
        now[0] -= 1
        return ("one",)

    monkeypatch.setattr(asking, "_names", names)
    for number in range(40):
        provider("http://127.0.0.1:9", "one", slug=f"p{number}")

    assert check_health()["healthy"] == 40
    assert most[0] == asking.AT_ONCE


def test_a_round_takes_a_number_of_queries_that_grows_only_with_what_it_keeps(django_assert_max_num_queries: Any) -> None:
    with server("one") as fake:
        for number in range(5):
            provider(fake.url, "one", slug=f"p{number}")
        check_health()
        # Three for the providers, one for what was listed; then for each: two findings and old addresses.
        with django_assert_max_num_queries(4 + 5 * 3):
            check_health()
