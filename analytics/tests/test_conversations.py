"""Figures of conversations: by hand, fresh when they are read, and kept up by the hourly pass."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.aggregation import aggregate
from analytics.conversations import conversation_figures
from analytics.models import AggregationMark, ConversationAnalytics
from analytics.tests.history import History
from councils.engine.types import RunStatus, Stage
from councils.models import CallStatus
from councils.tests.factories import make_council, make_run

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_conversation_by_hand() -> None:
    history = History()
    run = history.run(NOON, seconds=30, consensus_score=0.8)
    first = history.step(run, "opinion:agent_1", Stage.OPINIONS, started_at=NOON, finished_at=later(8))
    second = history.step(run, "opinion:agent_2", Stage.OPINIONS, started_at=later(1), finished_at=later(11))
    verdicts = [{"agent_id": "agent_1", "score": 9}, {"agent_id": "agent_2", "score": None}]
    ballot = {"ballot": {"verdicts": verdicts}}
    review = history.step(run, "review:agent_2", Stage.REVIEW, started_at=later(11), finished_at=later(15), payload=ballot)
    history.call(NOON, step=first, latency_ms=8_000)
    history.call(later(1), step=second, latency_ms=10_000, model_name="other", model=None)
    history.call(later(11), CallStatus.BROKEN, step=review, error_kind="timeout", latency_ms=4_000)

    figures = conversation_figures(history.conversation)

    assert (figures.runs, figures.succeeded, figures.calls, figures.errors) == (1, 1, 3, 1)
    assert figures.stage_durations_ms == {"opinions": 11_000, "review": 4_000}
    assert figures.models_used == sorted(["other · Test provider", f"{history.model.name} · Test provider"])
    assert (figures.average_latency_ms, figures.longest_latency_ms, figures.run_total_ms) == (9_000, 10_000, 30_000)
    assert (figures.total_tokens, figures.cost_usd) == (450, Decimal("0.006"))
    assert figures.peer_scores == {f"{history.model.name} · Test provider": 9.0}
    assert figures.consensus_score == 0.8


def test_a_run_that_the_product_wrote_has_peer_scores() -> None:
    council = make_council(seats=3)
    run = make_run(council=council)

    figures = conversation_figures(run.conversation)

    names = {f"{seat.model.name} · Test provider" for seat in council.members.all()}
    assert set(figures.peer_scores) == names
    assert all(1 <= score <= 10 for score in figures.peer_scores.values())


def test_reading_again_computes_nothing_until_something_ends() -> None:
    history = History()
    history.run(NOON)
    first = conversation_figures(history.conversation)

    assert conversation_figures(history.conversation).computed_at == first.computed_at
    history.run(timezone.now(), RunStatus.PARTIAL, seconds=1)
    assert conversation_figures(history.conversation).runs == 2
    assert ConversationAnalytics.objects.count() == 1


def test_the_hourly_pass_keeps_all_up() -> None:
    first, second = History(), History()
    first.run(NOON)
    second.run(NOON)
    second.run(NOON, RunStatus.RUNNING, seconds=None)

    assert aggregate().conversations == 2
    assert {row.conversation_id: row.runs for row in ConversationAnalytics.objects.all()} == {
        first.conversation.pk: 1,
        second.conversation.pk: 1,
    }


@override_settings(ENABLE_ANALYTICS=False)
def test_switched_off_figures_are_told_and_not_kept() -> None:
    history = History()
    history.run(NOON)

    assert conversation_figures(history.conversation).runs == 1
    assert not ConversationAnalytics.objects.exists()


def test_more_runs_take_no_more_queries() -> None:
    council = make_council()
    run = make_run(council=council)
    AggregationMark.objects.create(pk=1)
    with CaptureQueriesContext(connection) as few:
        conversation_figures(run.conversation)
    ConversationAnalytics.objects.all().delete()
    for _ in range(3):
        make_run(council=council, owner=run.owner, conversation=run.conversation)

    with CaptureQueriesContext(connection) as many:
        assert conversation_figures(run.conversation).runs == 4

    assert len(many) == len(few)
