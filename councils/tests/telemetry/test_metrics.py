"""What is counted, with which labels, and that counting never stands in anybody's way."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from benchmarks.staging import fake_model, stage_council
from councils.engine.types import RunStatus
from councils.models import CouncilMember, CouncilRun, ModelCall, ModelInfo, RunStep, User
from councils.models.run import LIVE
from councils.runner.host import EngineHost
from councils.services.asking import cancel_run
from councils.store.claims import orphan_calls_of_ended_run
from councils.store.corrections import correct_cost
from councils.telemetry import metrics
from councils.tests.durability.support import Asker, ended, wait_until
from councils.tests.factories import make_council, make_run

Value = Callable[..., float]


@pytest.fixture
def grown() -> Value:
    """By how much a sample has grown since the test began."""
    before = {(sample.name, *sorted(sample.labels.items())): sample.value for family in REGISTRY.collect() for sample in family.samples}

    def growth(name: str, **labels: str) -> float:
        found = [
            sample.value - before.get((sample.name, *sorted(sample.labels.items())), 0.0)
            for family in REGISTRY.collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found)

    return growth


@pytest.fixture
def few_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_models", set())
    monkeypatch.setattr(metrics, "MOST_MODELS", 2)


@pytest.fixture
def ada_run(db: None) -> CouncilRun:
    return make_run(status=RunStatus.QUEUED)


def test_what_alerts_ask_is_told_before_it_first_happens() -> None:
    # Prometheus sees growth only from a value that it has seen before.
    told = {(sample.name, *sample.labels.values()) for family in REGISTRY.collect() for sample in family.samples}

    assert {("http_answers_total", "good"), ("http_answers_total", "error")} <= told
    assert {("council_sessions_total", status.value) for status in RunStatus if status.value not in LIVE} <= told


def test_a_model_that_has_a_seat_is_told_before_its_first_call(transactional_db: None, quick_engine: None) -> None:
    member = CouncilMember.objects.select_related("model__provider").filter(council=make_council()).first()
    assert member is not None
    ModelInfo.objects.filter(pk=member.model_id).update(name="never-asked")
    labels = {"model": "never-asked", "provider": member.model.provider.slug}
    engine = EngineHost()
    engine.start()
    try:
        wait_until(
            lambda: [REGISTRY.get_sample_value("llm_requests_total", {**labels, "status": end}) for end in metrics.ALARMING] == [0] * 3,
            "its counts begin",
        )
    finally:
        engine.stop()


def test_an_error_of_ours_is_told_from_one_of_the_visitor(grown: Value) -> None:
    for status in (200, 404, 500, 503):
        metrics.request_ended(method="GET", route="run", status=status, took_s=0.1)

    assert (grown("http_answers_total", outcome="good"), grown("http_answers_total", outcome="error")) == (2, 2)


class TestARun:
    def test_is_counted_whole(self, ask: Asker, engine: EngineHost, grown: Value) -> None:
        run = ended(ask("tokens=20", "tokens=20", "tokens=20"))

        calls = run.calls.count()
        assert run.status == "succeeded"
        assert grown("council_sessions_total", status="succeeded") == 1
        assert grown("llm_requests_total", status="done") == calls
        assert grown("llm_request_duration_seconds_count") == calls
        assert grown("llm_first_token_seconds_count") == calls
        assert grown("llm_tokens_total", type="prompt") == run.prompt_tokens
        assert grown("llm_tokens_total", type="completion") == run.completion_tokens
        assert grown("llm_cost_total") == pytest.approx(float(run.known_cost_usd))
        assert run.known_cost_usd > 0
        for stage in ("opinions", "review", "synthesis"):
            assert grown("council_stage_duration_seconds_count", stage=stage) == 1
        # Three answers took the places 1, 2 and 3.
        assert grown("peer_review_rankings_count") == 3
        assert grown("peer_review_rankings_sum") == 6

    def test_counts_a_call_that_failed_by_its_kind_and_by_its_provider(self, ask: Asker, engine: EngineHost, grown: Value) -> None:
        run = ended(ask("tokens=20", "tokens=20", "tokens=20", "fault=404"))

        failed = run.calls.get(error_kind="bad_request")
        labels = {"model": failed.model_name, "provider": failed.model.provider.slug if failed.model else ""}
        assert grown("llm_errors_total", type="bad_request", **labels) == 1
        assert grown("llm_requests_total", status="refused", **labels) == 1

    def test_that_is_cancelled_counts_once(self, ada_run: CouncilRun, grown: Value, django_capture_on_commit_callbacks: Any) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            assert cancel_run(run=ada_run, by=ada_run.owner)
            assert not cancel_run(run=ada_run, by=ada_run.owner)

        assert grown("council_sessions_total", status="cancelled") == 1

    def test_that_is_a_trial_of_a_draft_does_not_count(
        self, ada_run: CouncilRun, grown: Value, django_capture_on_commit_callbacks: Any
    ) -> None:
        CouncilRun.objects.filter(pk=ada_run.pk).update(trial=True)
        with django_capture_on_commit_callbacks(execute=True):
            assert cancel_run(run=ada_run, by=ada_run.owner)

        assert grown("council_sessions_total") == 0

    def test_that_was_taken_over_tells_the_whole_time_of_its_stages(
        self, ada_run: CouncilRun, grown: Value, django_capture_on_commit_callbacks: Any
    ) -> None:
        now = timezone.now()
        for key, began_s, ended_s in (("a", 100, 60), ("b", 90, 50), ("c", 20, 10)):
            times = {"started_at": now - timedelta(seconds=began_s), "finished_at": now - timedelta(seconds=ended_s)}
            RunStep.objects.create(run=ada_run, key=key, stage="opinions", agent_id=key, status="done", **times)

        with django_capture_on_commit_callbacks(execute=True):
            assert cancel_run(run=ada_run, by=ada_run.owner)

        assert grown("council_stage_duration_seconds_count", stage="opinions") == 1
        assert grown("council_stage_duration_seconds_sum", stage="opinions") == pytest.approx(60)

    def test_whose_process_died_tells_its_calls_and_what_staff_book_for_them(
        self, ada_run: CouncilRun, grown: Value, django_capture_on_commit_callbacks: Any
    ) -> None:
        step = RunStep.objects.create(run=ada_run, key="a", stage="opinions", agent_id="a", status="running")
        model = ModelInfo.objects.select_related("provider").first()
        assert model is not None
        call = ModelCall.objects.create(
            run=ada_run,
            step=step,
            attempt=1,
            epoch=1,
            model=model,
            model_name=model.name,
            provider_name=model.provider.name,
            status="sending",
        )
        with django_capture_on_commit_callbacks(execute=True):
            cancel_run(run=ada_run, by=ada_run.owner)
            orphan_calls_of_ended_run(ada_run.pk, [call.pk])
            call.refresh_from_db()
            assert correct_cost(call, cost=Decimal("0.25"))

        labels = {"model": model.name, "provider": model.provider.slug}
        assert grown("llm_requests_total", status="orphaned", **labels) == 1
        assert grown("llm_cost_total", **labels) == pytest.approx(0.25)

    def test_that_comes_home_after_it_was_taken_for_lost_is_no_second_call(self, grown: Value) -> None:
        end = metrics.CallEnd(status="done", took_ms=900, prompt_tokens=7, completion_tokens=3, cost_usd=Decimal("0.5"), counted=True)
        metrics.call_ended(model="late", provider="home", end=end)

        assert grown("llm_requests_total", model="late") == 0
        assert grown("llm_tokens_total") == 10
        assert grown("llm_cost_total", model="late") == 0.5

    def test_an_answer_from_the_cache_is_no_call_and_no_tokens(
        self, asker: User, ask: Asker, engine: EngineHost, grown: Value, settings: Settings
    ) -> None:
        settings.ENABLE_CACHE = True
        council = stage_council([fake_model(ask.provider.url, f"name=c{n}") for n in range(3)], use_cache=True)
        first = ended(ask.put(council))
        tokens = grown("llm_tokens_total")
        again = ended(ask.put(council))

        assert again.calls.filter(cached=True).count() == again.calls.count() == first.calls.count()
        assert grown("llm_requests_total", status="cached") == again.calls.count()
        assert grown("llm_tokens_total") == tokens
        assert grown("cache_operations_total", operation="get", result="hit") == again.calls.count()
        assert grown("cache_operations_total", operation="set", result="ok") == first.calls.count()


class TestLabels:
    def test_of_models_beyond_the_bound_are_other(self, few_models: None) -> None:
        assert metrics.bounded("one", "p") == ("one", "p")
        assert metrics.bounded("two", "p") == ("two", "p")
        assert metrics.bounded("three", "p") == ("other", "other")
        assert metrics.bounded("one", "p") == ("one", "p")

    def test_of_statements_are_their_kind(self, db: None, grown: Value) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.execute("  /* odd */ SELECT 1")
        User.objects.filter(pk=0).delete()

        assert grown("db_operations_total", operation="select") >= 1
        assert grown("db_operations_total", operation="other") >= 1
        assert grown("db_operation_duration_seconds_count") == grown("db_operations_total")

    def test_a_statement_that_fails_counts_too(self, db: None, grown: Value) -> None:
        with pytest.raises(OperationalError):
            metrics.watch_statements(Mock(side_effect=OperationalError), "UPDATE x", None, False, {})

        assert grown("db_operations_total", operation="update") == 1


class TestNothingIsHurt:
    def test_counting_that_fails_is_not_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "SESSIONS", Mock(labels=Mock(side_effect=OSError("No space left on device"))))

        metrics.session_ended("succeeded")

    def test_switched_off_nothing_is_counted(self, settings: Settings, grown: Value) -> None:
        settings.ENABLE_METRICS = False

        metrics.session_ended("succeeded")
        metrics.request_ended(method="GET", route="", status=200, took_s=1)

        assert grown("council_sessions_total") == 0
        assert grown("http_requests_total") == 0

    def test_a_connection_is_watched_once(self, db: None) -> None:
        metrics.watch_connection(connection)

        assert connection.execute_wrappers.count(metrics.watch_statements) == 1
