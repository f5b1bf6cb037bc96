"""What the database knows, as Prometheus reads it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import Budget, BudgetAccount, BudgetPeriod, CachedResponse, CacheKind, CacheStatistic, CouncilRun, ModelInfo, Provider
from councils.models.budget import to_units
from councils.models.health import EngineSign, HealthRecord, HealthState
from councils.telemetry.gauges import KEPT_S, DatabaseGauges
from councils.tests.factories import make_council, make_run, make_user

Found = dict[tuple[str, ...], float]


def look() -> Found:
    """Every sample by its name and the values of its labels."""
    samples = [sample for family in DatabaseGauges().collect() for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def spend(budget: Budget, *, spent: str, reserved: str = "0", days_ago: int = 0) -> None:
    start = BudgetPeriod(budget.period).start(timezone.now() - timedelta(days=days_ago))
    units = {"spent": to_units(Decimal(spent)), "reserved": to_units(Decimal(reserved))}
    BudgetAccount.objects.create(budget=budget, period_start=start, **units)


def test_models_count_that_can_be_asked(db: None) -> None:
    make_council()
    usable = ModelInfo.objects.usable().count()
    assert look()["council_models_count",] == usable > 0

    Provider.objects.update(is_active=False)

    assert look()["council_models_count",] == 0


def test_runs_that_live_that_nobody_drives_and_that_wait(db: None) -> None:
    assert [look()[name,] for name in ("council_runs_live", "council_runs_unowned", "council_queue_age_seconds")] == [0, 0, 0]
    waiting = make_run(status=RunStatus.QUEUED)
    make_run(status=RunStatus.RUNNING, owner=waiting.owner, council=waiting.council, worker="somebody")
    make_run(owner=waiting.owner, council=waiting.council)
    CouncilRun.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=90))

    found = look()

    assert (found["council_runs_live",], found["council_runs_unowned",]) == (2, 1)
    assert found["council_queue_age_seconds",] == pytest.approx(90, abs=30)


def test_a_held_run_waits_for_staff_and_not_for_a_worker(db: None) -> None:
    held = make_run(status=RunStatus.QUEUED)
    CouncilRun.objects.filter(pk=held.pk).update(created_at=timezone.now() - timedelta(hours=5), held=True)

    found = look()

    assert (found["council_runs_live",], found["council_runs_held",]) == (1, 1)
    assert (found["council_runs_unowned",], found["council_queue_age_seconds",]) == (0, 0)


def test_a_provider_that_refuses_our_key_is_down_and_a_closed_one_is_not_told(db: None) -> None:
    make_council()
    provider = Provider.objects.first()
    assert provider is not None
    assert look()["council_provider_up", provider.slug] == 1

    Provider.objects.mark(provider.pk, "401")
    assert look()["council_provider_up", provider.slug] == 0

    Provider.objects.update(is_active=False)
    assert ("council_provider_up", provider.slug) not in look()


def test_a_provider_is_down_when_none_of_its_addresses_passed_the_last_check(db: None) -> None:
    make_council()
    provider = Provider.objects.first()
    assert provider is not None
    now = timezone.now()
    checks = {"provider": provider, "since": now, "checked_at": now}
    HealthRecord.objects.create(base_url="https://one.example", state=HealthState.FAILING, **checks)
    HealthRecord.objects.create(base_url="https://two.example", state=HealthState.FAILING, is_current=False, **checks)
    two = HealthRecord.objects.create(base_url="https://two.example", state=HealthState.SLOW, **checks)
    assert look()["council_provider_up", provider.slug] == 1

    HealthRecord.objects.filter(pk=two.pk).update(state=HealthState.FAILING)

    assert look()["council_provider_up", provider.slug] == 0


def test_a_check_that_is_long_past_says_nothing_about_a_provider(db: None) -> None:
    make_council()
    provider = Provider.objects.first()
    assert provider is not None
    old = timezone.now() - timedelta(days=9)
    HealthRecord.objects.create(provider=provider, base_url=provider.base_url, state=HealthState.FAILING, since=old, checked_at=old)

    assert look()["council_provider_up", provider.slug] == 1


def test_engines_count_that_showed_life_lately(db: None) -> None:
    now = timezone.now()
    for number, age_s in enumerate((0, 5, 600)):
        EngineSign.objects.create(worker=f"host:{number}", kind="celery", started_at=now, seen_at=now - timedelta(seconds=age_s))

    assert look()["council_engines_alive",] == 2


def test_of_budgets_the_one_with_the_least_left_is_told_by_scope_and_period(db: None) -> None:
    poor, rich = (Budget.objects.create(user=make_user(), limit_usd=Decimal(limit)) for limit in ("10", "1000"))
    everybody = Budget.objects.create(limit_usd=Decimal(4), period=BudgetPeriod.DAY)
    nothing = Budget.objects.create(council=make_council(), limit_usd=Decimal(0))
    spend(poor, spent="7", reserved="0.5")
    spend(rich, spent="100")
    spend(everybody, spent="5")
    spend(nothing, spent="0")
    spend(poor, spent="10", days_ago=62)

    found = {key[1:]: value for key, value in look().items() if key[0] == "council_budget_left_ratio"}

    assert found == {("user", "month"): pytest.approx(0.25), ("everybody", "day"): 0, ("council", "month"): 0}


def test_the_cache_by_its_kinds(db: None) -> None:
    now = timezone.now()
    for number, size in enumerate((300, 700)):
        times = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(hours=1)}
        CachedResponse.objects.create(kind=CacheKind.LLM, cache_key=str(number), response_data={}, size_bytes=size, **times)
    CacheStatistic.objects.create(kind=CacheKind.LLM, day=now.date(), requests=8, hits=2)
    CacheStatistic.objects.create(kind=CacheKind.LLM, day=now.date() - timedelta(days=9), requests=100, hits=100)

    found = look()

    assert (found["cache_size_bytes", "llm"], found["cache_size_bytes", "mcp"]) == (1000, 0)
    assert found["cache_hit_ratio", "llm"] == 0.25


def test_it_costs_the_same_few_queries_however_much_there_is(db: None) -> None:
    with CaptureQueriesContext(
        connection,
    ) as empty:
        look()
    council = make_council()
    for _ in range(5):
        run = make_run(owner=make_user(), council=council)
        spend(Budget.objects.create(user=run.owner, limit_usd=Decimal(1)), spent="0.5")
    with CaptureQueriesContext(connection) as full:
        look()

    assert len(full) == len(empty) <= 7


def test_two_scrapes_at_once_look_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    gauges, clock = DatabaseGauges(), [1000.0]
    monkeypatch.setattr("councils.telemetry.gauges.time.monotonic", lambda: clock[0])
    list(gauges.collect())
    with CaptureQueriesContext(connection) as again:
        list(gauges.collect())
        assert len(again) == 0
        clock[0] += KEPT_S
        list(gauges.collect())

    # Adding up sizes waits longer.
    assert 0 < len(again) <= 6
