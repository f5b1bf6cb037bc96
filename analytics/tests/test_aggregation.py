"""Roll-ups: right by hand and for random histories, the same however often and in whatever order they are made."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics import aggregation
from analytics.aggregation import HOUR, aggregate, aggregate_hour, hour_of, rebuild
from analytics.histogram import exact_percentile
from analytics.models import AggregationMark, HourAnalytics, ModelAnalytics
from analytics.tasks import aggregate_model_analytics
from analytics.tests.history import History
from councils.engine.types import RunStatus, Stage
from councils.models import CallStatus, ModelCall
from councils.store.calls import Begun, Booking, StepRef, settle_call
from councils.store.ownership import Claim
from councils.tests.factories import make_model

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Row = dict[str, object]


@pytest.fixture
def history() -> History:
    return History()


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def stored() -> tuple[list[Row], list[Row]]:
    """All roll-ups, without what a replacement changes."""
    hours = [{**row, "id": 0, "aggregated_at": None} for row in HourAnalytics.objects.order_by("hour").values()]
    models = [{**row, "id": 0} for row in ModelAnalytics.objects.order_by("hour", "provider_name", "model_name").values()]
    return hours, models


def test_an_hour_by_hand(history: History) -> None:
    history.call(at(0), latency_ms=1_000)
    history.call(at(10), latency_ms=3_000, cost_usd=Decimal("0.005"))
    history.call(at(20), latency_ms=2_000, cost_usd=None)
    history.call(at(30), CallStatus.REFUSED, error_kind="rate_limited", latency_ms=40, cost_usd=Decimal(0), completion_tokens=None)
    history.call(at(35), CallStatus.BROKEN, error_kind="timeout", latency_ms=30_000)
    history.call(at(40), CallStatus.ORPHANED, error_kind="", latency_ms=None, prompt_tokens=None, completion_tokens=None, cost_usd=None)
    history.call(at(45), CallStatus.CANCELLED, latency_ms=7)
    history.call(at(50), cached=True, cost_usd=Decimal(0), latency_ms=1)
    history.call(at(55), CallStatus.SENDING, latency_ms=None, cost_usd=None)

    assert aggregate_hour(NOON) == 1

    row = ModelAnalytics.objects.get()
    assert (row.requests, row.errors, row.cancelled, row.cache_hits) == (7, 3, 1, 1)
    assert row.success_rate == 0.5
    assert row.errors_by_kind == {"rate_limited": 1, "timeout": 1, "unknown": 1}
    assert (row.p50_latency_ms, row.p95_latency_ms, row.average_latency_ms) == (2_000, 3_000, 2_000)
    assert (row.prompt_tokens, row.completion_tokens) == (600, 250)
    assert (row.cost_usd, row.unknown_costs) == (Decimal("0.002") * 3 + Decimal("0.005"), 2)
    assert (row.model, row.provider_name) == (history.model, "Test provider")


def test_the_runs_of_an_hour_by_hand(history: History) -> None:
    history.run(at(1), seconds=10, consensus_score=0.5)
    history.run(at(2), seconds=30, consensus_score=1.0)
    history.run(at(3), RunStatus.FAILED, seconds=20)
    history.run(at(4), RunStatus.CANCELLED, seconds=999)
    history.run(at(5), RunStatus.RUNNING, seconds=None)

    aggregate_hour(NOON)

    row = HourAnalytics.objects.get()
    assert (row.succeeded, row.partial, row.failed, row.cancelled) == (2, 0, 1, 1)
    assert (row.consensus_sum, row.consensus_count) == (1.5, 2)
    assert (row.times.count, row.times.total_ms, row.times.most_ms) == (3, 60_000, 30_000)


def test_places_in_the_count_go_to_the_models_that_wrote_the_answers(history: History) -> None:
    other = make_model("other")
    run = history.run(at(0))
    history.call(at(0), step=history.step(run, "opinion:agent_1", Stage.OPINIONS))
    history.call(at(0), step=history.step(run, "opinion:agent_2", Stage.OPINIONS), model=other, model_name=other.name)
    history.step(run, "tally", Stage.REVIEW, payload={"order": ["agent_2", "agent_1"]})

    aggregate_hour(NOON)

    ranks = {row.model_name: (row.average_rank, row.rank_count, row.ranked_first) for row in ModelAnalytics.objects.all()}
    assert ranks == {history.model.name: (2, 1, 0), "other": (1, 1, 1)}


def test_a_second_round_replaces_the_first_and_a_kept_count_is_not_counted_again(history: History) -> None:
    run, later = history.run(at(0)), history.run(at(1))
    opinion = history.step(run, "opinion:agent_1:2", Stage.OPINIONS)
    history.call(at(0), step=opinion)
    history.step(run, "tally", Stage.REVIEW, payload={"order": ["agent_9", "agent_1:2"]})
    tally = history.step(run, "tally:2", Stage.REVIEW, payload={"order": ["agent_1:2"]})
    history.step(later, "opinion:agent_1:2", Stage.OPINIONS, carried=True, carried_from=opinion)
    history.step(later, "tally", Stage.REVIEW, payload=tally.payload, carried=True, carried_from=tally)

    aggregate_hour(NOON)

    row = ModelAnalytics.objects.get()
    assert (row.rank_sum, row.rank_count, row.ranked_first) == (1, 1, 1)


def test_a_kept_answer_that_is_voted_on_anew_counts_for_the_model_that_wrote_it(history: History) -> None:
    opinion = history.step(history.run(at(-120)), "opinion:agent_1", Stage.OPINIONS)
    history.call(at(-120), step=opinion)
    again = history.run(at(0))
    history.step(again, "opinion:agent_1", Stage.OPINIONS, carried=True, carried_from=opinion)
    history.step(again, "tally", Stage.REVIEW, payload={"order": ["agent_1"]})

    aggregate_hour(NOON)

    row = ModelAnalytics.objects.get()
    assert (row.requests, row.ranked_first) == (0, 1)


def test_a_call_counts_in_the_hour_in_which_it_was_begun(history: History) -> None:
    history.call(at(59.99))
    history.call(at(60))

    aggregate()

    assert [row.hour for row in ModelAnalytics.objects.order_by("hour")] == [NOON, NOON + HOUR]


def test_doing_it_again_changes_nothing(history: History) -> None:
    for minutes in (0, 70, 200):
        history.call(at(minutes))
        history.run(at(minutes))
    first = aggregate()
    before = stored()

    aggregate()
    for hour in (NOON, NOON + HOUR):
        aggregate_hour(hour)

    assert first.hours == 3
    assert stored() == before
    assert rebuild().hours == 3
    assert stored() == before


def test_what_was_summed_up_long_ago_is_not_looked_at_again(history: History) -> None:
    history.call(at(0))
    history.run(at(0))
    aggregate()

    again = aggregate()

    assert (again.hours, again.conversations) == (0, 0)


def test_a_late_booking_reopens_its_hour(history: History) -> None:
    step = history.step(history.run(at(0), unknown_costs=1), "opinion:agent_1", Stage.OPINIONS)
    call = history.call(at(0), CallStatus.ORPHANED, step=step, cost_usd=None, error_kind="orphaned")
    aggregate()
    assert ModelAnalytics.objects.get().unknown_costs == 1
    began = Begun(call_pk=call.pk, call_id=call.public_id, attempt=1, events=())
    booking = Booking(status=CallStatus.DONE, prompt_tokens=7, completion_tokens=3, cost_usd=Decimal("0.04"), latency_ms=900)

    settle_call(Claim(step.run.pk, step.run.public_id, 1, ()), StepRef(key=step.key, stage=Stage.OPINIONS), began, booking)

    assert aggregate().hours == 1
    row = ModelAnalytics.objects.get()
    assert (row.hour, row.errors, row.unknown_costs, row.cost_usd, row.prompt_tokens) == (NOON, 0, 0, Decimal("0.04"), 7)


def test_after_days_off_every_missed_hour_is_made(history: History) -> None:
    now = hour_of(timezone.now())
    history.call(now - timedelta(days=9))
    aggregate()
    AggregationMark.objects.update(changes_until=now - timedelta(days=8))
    for day in range(1, 8):
        history.call(now - timedelta(days=day))

    assert aggregate().hours == 7
    assert ModelAnalytics.objects.count() == 8


def test_a_long_way_that_breaks_off_goes_on_where_it_was(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in range(6):
        history.call(at(60 * hours))
    made = aggregation.aggregate_hour

    def break_off(hour: datetime) -> int:
        if hour == NOON + 4 * HOUR:
            raise InterruptedError
        return made(hour)

    monkeypatch.setattr(aggregation, "aggregate_hour", break_off)
    with pytest.raises(InterruptedError):
        aggregate()
    monkeypatch.setattr(aggregation, "aggregate_hour", made)

    assert aggregate().hours == 2
    assert HourAnalytics.objects.count() == 6


def test_an_hour_whose_records_were_deleted_keeps_its_sums_until_it_is_computed_anew(history: History) -> None:
    history.call(at(0))
    aggregate()
    ModelCall.objects.all().delete()

    aggregate()
    assert ModelAnalytics.objects.count() == 1
    aggregate(since=NOON)
    assert ModelAnalytics.objects.count() == HourAnalytics.objects.count() == 0


def test_the_mark_never_goes_back() -> None:
    AggregationMark.objects.advance(changes_until=at(60), sealed_until=at(60))
    AggregationMark.objects.advance(changes_until=at(0), sealed_until=at(0))

    mark = AggregationMark.objects.get()
    assert (mark.changes_until, mark.sealed_until) == (at(60), at(60))


def test_the_task_says_how_many_rows_it_made(history: History) -> None:
    history.call(at(0))
    history.call(at(0), model=None, model_name="gone")

    assert aggregate_model_analytics() == {"aggregated_count": 2}


@override_settings(ENABLE_ANALYTICS=False)
def test_switched_off_the_task_does_nothing(history: History) -> None:
    history.call(at(0))

    assert aggregate_model_analytics() == {"aggregated_count": 0}
    assert not ModelAnalytics.objects.exists()


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "minute": st.integers(min_value=0, max_value=239),
            "status": st.sampled_from(list(CallStatus)),
            "model": st.sampled_from(["alpha", "beta"]),
            "cached": st.booleans(),
            "latency_ms": st.none() | st.integers(min_value=0, max_value=600_000),
            "cost": st.none() | st.integers(min_value=0, max_value=10**9),
            "tokens": st.none() | st.integers(min_value=0, max_value=10_000),
        }
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(calls=CALLS, cut=st.integers(min_value=0, max_value=12))
def test_roll_ups_say_what_the_raw_rows_say_for_any_history(history: History, calls: list[dict[str, object]], cut: int) -> None:
    ModelCall.objects.all().delete()
    rebuild()
    for number, facts in enumerate(calls):
        if number == cut:
            aggregate()  # Whatever was summed up in between must not show.
        cost = None if facts["cost"] is None else Decimal(str(facts["cost"])) / 10**8
        tokens: dict[str, Any] = {"prompt_tokens": facts["tokens"], "completion_tokens": facts["tokens"], "cost_usd": cost}
        chosen: dict[str, Any] = {"model": None, "model_name": facts["model"], "cached": facts["cached"], "latency_ms": facts["latency_ms"]}
        status = CallStatus(str(facts["status"]))
        chosen |= {"error_kind": "timeout", "finished_at": None if status is CallStatus.SENDING else timezone.now()}
        history.call(at(int(str(facts["minute"]))), status, **tokens, **chosen)
    aggregate()

    raw = [call for call in ModelCall.objects.exclude(status="sending") if not call.cached]
    rows = list(ModelAnalytics.objects.all())
    assert sum(row.requests for row in rows) == len(raw) == sum(row.requests for row in HourAnalytics.objects.all())
    assert sum((row.cost_usd for row in rows), Decimal(0)) == sum((call.cost_usd or Decimal(0) for call in raw), Decimal(0))
    for row in rows:
        mine = [call for call in raw if call.model_name == row.model_name and hour_of(call.created_at) == row.hour]
        times = sorted(call.latency_ms for call in mine if call.status == "done" and call.latency_ms is not None)
        assert row.requests == len(mine)
        assert row.prompt_tokens == sum(call.prompt_tokens or 0 for call in mine)
        assert row.p95_latency_ms == exact_percentile(times, 0.95)
        assert row.times.count == len(times)
