"""Health in the admin: badges where somebody decides, with the time since when, and what engines leave alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from councils.models import EngineSign, HealthRecord, HealthState, ModelInfo, Provider
from councils.services.attention import health_needing_attention
from councils.tests.factories import make_model

pytestmark = pytest.mark.django_db
PROVIDERS = reverse("admin:councils_provider_changelist")
MODELS = reverse("admin:councils_modelinfo_changelist")


def record(state: HealthState, row: Provider | ModelInfo, *, ago: timedelta = timedelta(0), **fields: Any) -> HealthRecord:
    at = timezone.now() - ago
    about = {"provider": row, "base_url": row.base_url} if isinstance(row, Provider) else {"provider": row.provider, "model": row}
    return HealthRecord.objects.create(**(about | {"state": state, "since": at, "checked_at": at} | fields))


def engine(worker: str, *left_alone: dict[str, Any], seen: timedelta = timedelta(0)) -> None:
    at = timezone.now() - seen
    EngineSign.objects.create(worker=worker, kind="celery", started_at=at, seen_at=at, left_alone=list(left_alone))


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (HealthState.HEALTHY, "healthy"),
        (HealthState.SLOW, "slow"),
        (HealthState.FAILING, "failing since 20"),
        (HealthState.UNKNOWN, "cannot be told"),
    ],
)
def test_a_provider_wears_its_state_in_the_list(admin: Client, state: HealthState, words: str) -> None:
    record(state, make_model().provider, ago=timedelta(hours=2))

    assert words in text_of(admin, PROVIDERS)


def test_a_model_that_left_the_list_of_its_provider_says_so(admin: Client) -> None:
    record(HealthState.MISSING, make_model(), problem="It is not on the list any more.")

    assert "not served any more since 20" in text_of(admin, MODELS)


def test_before_the_first_check_nothing_is_claimed(admin: Client) -> None:
    make_model()

    assert "not checked yet" in text_of(admin, PROVIDERS)
    assert "not checked yet" in text_of(admin, MODELS)


def test_a_provider_is_as_well_as_its_worst_address(admin: Client) -> None:
    provider = make_model().provider
    record(HealthState.HEALTHY, provider)
    record(HealthState.FAILING, provider, base_url="http://spare.example")

    assert "failing since" in text_of(admin, PROVIDERS)


def test_its_form_tells_every_address_and_what_engines_leave_alone(admin: Client) -> None:
    model = make_model()
    provider = model.provider
    record(HealthState.FAILING, provider, problem="Connection <refused>.")
    line = {"provider": provider.pk, "address": provider.base_url, "model": "", "state": "open"}
    engine("one:1", line)
    engine("two:2", line, {**line, "model": model.name})
    engine("dead:3", line, seen=timedelta(hours=1))

    page = text_of(admin, reverse("admin:councils_provider_change", args=[provider.pk]))

    assert "Connection &lt;refused&gt;." in page
    assert f"Left alone for now by 2 of 2 engines: {provider.base_url}." in page
    assert f"Left alone for now by 1 of 2 engines: {provider.base_url} for {model.name}." in page
    assert f"healthrecord/?provider__id__exact={provider.pk}" in page


def test_a_models_form_tells_of_itself_and_of_its_addresses_not_of_other_models(admin: Client) -> None:
    model = make_model()
    record(HealthState.HEALTHY, model, latency_ms=12)
    line = {"provider": model.provider_id, "address": "http://a.example", "model": "", "state": "open"}
    engine("one:1", line, {**line, "model": "another-model"})

    page = text_of(admin, reverse("admin:councils_modelinfo_change", args=[model.pk]))

    assert "healthy since" in page
    assert "1 of 1 engines: http://a.example." in page
    assert "another-model" not in page


@pytest.mark.parametrize("address", [PROVIDERS, MODELS])
def test_lists_can_be_filtered_by_health(admin: Client, address: str) -> None:
    good, bad = make_model("good-one"), make_model("bad-one")
    Provider.objects.filter(pk=bad.provider_id).update(name="bad-host")
    record(HealthState.HEALTHY, good)
    record(HealthState.FAILING, bad)
    record(HealthState.FAILING, bad.provider)

    rows = admin.get(address, {"health": "failing"}).context["cl"].result_list
    nonsense = admin.get(address, {"health": "nonsense"})

    assert [row.pk for row in rows] == [bad.provider_id if address == PROVIDERS else bad.pk]
    assert nonsense.status_code in {200, 302}


@pytest.mark.parametrize("address", [PROVIDERS, MODELS, reverse("admin:councils_healthrecord_changelist")])
def test_more_rows_take_no_more_queries(admin: Client, address: str) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(address).status_code == 200
        return len(queries)

    for number in range(2):
        record(HealthState.HEALTHY, make_model(f"m{number}"))
    count()
    few = count()
    for number in range(2, 12):
        model = make_model(f"m{number}")
        record(HealthState.FAILING, model)

    assert count() == few


def test_engines_that_are_silent_are_told_from_those_that_work(admin: Client) -> None:
    engine("one:1")
    engine("dead:3", seen=timedelta(hours=1))

    rows = {row.worker: row.is_alive for row in admin.get(reverse("admin:councils_enginesign_changelist")).context["cl"].result_list}

    assert rows == {"one:1": True, "dead:3": False}


def test_what_needs_attention_is_in_use_and_bad_now() -> None:
    model, off = make_model("m"), make_model("off", is_active=False)
    wanted = record(HealthState.MISSING, model)
    record(HealthState.FAILING, model, is_current=False)
    record(HealthState.FAILING, off)
    record(HealthState.SLOW, model.provider)

    assert list(health_needing_attention()) == [wanted]
