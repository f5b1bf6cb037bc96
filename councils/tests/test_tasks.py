"""Handing work over: messages that only say "look", and what becomes of them."""

import json
import logging
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from councils import posting, tasks
from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.runner.host import EngineHost
from councils.runner.unowned import Unowned
from councils.tests.durability.support import Asker, ended, speaking, wait_until
from councils.tests.factories import make_council, make_run

ENDLESS = "tokens=2000,rate=20"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[list[tuple[Any, ...]]]:
    """Messages that went to the broker, as (task, arguments)."""
    settings.RUN_ENGINE = "celery"
    messages: list[tuple[Any, ...]] = []

    def note(task: Any, args: Any = None, kwargs: Any = None, **_: Any) -> None:
        messages.append((task.name, json.loads(json.dumps([args, kwargs]))))

    monkeypatch.setattr("celery.app.task.Task.apply_async", note)
    tasks._unowned.cache_clear()
    yield messages
    tasks._unowned.cache_clear()


@pytest.mark.django_db
def test_a_message_holds_the_number_of_the_run_and_nothing_else(sent: list[tuple[Any, ...]]) -> None:
    tasks.start(42)
    posting.current().settle()

    assert sent == [("councils.tasks.process_council_async", [[42], {}])]


def test_a_broker_that_is_away_costs_a_warning(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("Connection refused")

    settings.RUN_ENGINE = "celery"
    monkeypatch.setattr("celery.app.task.Task.apply_async", away)

    monkeypatch.setattr(posting, "_poster", posting.Poster())

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            tasks.start(42)
        posting.current().settle()

    # The second and the third are not even tried.
    assert caplog.text.count("a worker will find the run") == 1


def test_who_starts_a_run_does_not_wait_for_a_broker_that_hangs(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    answered, reached = threading.Event(), list[None]()
    settings.RUN_ENGINE = "celery"

    def hang(*_: Any, **__: Any) -> None:
        answered.wait(60)
        reached.append(None)

    monkeypatch.setattr("celery.app.task.Task.apply_async", hang)
    monkeypatch.setattr(posting, "_poster", posting.Poster())
    started = posting.MOST_WAITING + 100

    # All of these return although the broker answers none; those beyond the bound are dropped.
    for number in range(started):
        tasks.start(number)
    reached_before = len(reached)
    answered.set()
    posting.current().settle()

    assert reached_before == 0
    # One may have left the queue before the bound was reached: the broker hangs on it.
    assert len(reached) in {posting.MOST_WAITING, posting.MOST_WAITING + 1}
    assert caplog.text.count("messages wait for the broker") == started - len(reached)


def test_the_task_does_not_wait_for_the_run(ask: Asker, engine: EngineHost) -> None:
    run = ask(ENDLESS, ENDLESS, ENDLESS)

    tasks.process_council_async.apply(args=(run.pk,)).get()

    wait_until(lambda: speaking(run) == 3, "the engine drives the run after the task has ended")
    assert CouncilRun.objects.get(pk=run.pk).is_live


def test_a_message_that_comes_many_times_has_the_run_driven_once(ask: Asker, engine: EngineHost) -> None:
    run = ask("", "", "")
    for _ in range(20):
        tasks.process_council_async.apply(args=(run.pk,))

    assert ended(run).epoch == 1
    assert sorted(entry.call_id for entry in ask.log_of(run)) == sorted({entry.call_id for entry in ask.log_of(run)})


def test_a_message_for_a_run_that_is_gone_does_nothing(ask: Asker, engine: EngineHost, caplog: pytest.LogCaptureFixture) -> None:
    gone = 987_654
    tasks.process_council_async.apply(args=(gone,)).get()

    # The engine has looked for it by the time that it ends a run which came later.
    assert ended(ask("", "", "")).status == RunStatus.SUCCEEDED
    assert gone not in engine._drivers
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.django_db
def test_runs_that_stay_without_owner_are_sent_again(sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    council = make_council()
    left, taken, _ = (make_run(council=council, status=status) for status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUCCEEDED))
    CouncilRun.objects.filter(pk=taken.pk).update(worker="somebody:1")
    now = iter([0.0, 4.0, 100.0])
    monkeypatch.setattr("councils.tasks.time", SimpleNamespace(monotonic=lambda: next(now)))

    counts = [tasks.resend_unowned_runs() for _ in range(3)]

    posting.current().settle()
    assert counts == [{"sent_count": 0}, {"sent_count": 0}, {"sent_count": 1}]
    assert sent == [("councils.tasks.process_council_async", [[left.pk], {}])]


def test_a_process_learns_by_its_own_clock(settings: Settings) -> None:
    tasks._unowned.cache_clear()

    assert isinstance(tasks._unowned(), Unowned)
    assert tasks._unowned().patience_s == settings.RUN_LEASE_TTL_S
    assert tasks._unowned() is tasks._unowned()
    tasks._unowned.cache_clear()


def test_the_first_word_of_a_stop_hands_the_runs_over_without_holding_up_who_says_it(ask: Asker, engine: EngineHost, settings: Any) -> None:
    settings.RUN_LEASE_TTL_S = 600.0
    run = ask(ENDLESS, ENDLESS, ENDLESS)
    wait_until(lambda: speaking(run) == 3, "the seats write")

    tasks.hand_over(sig="SIGTERM", how="Warm")
    for thread in [thread for thread in threading.enumerate() if thread.name == "hand-over"]:
        thread.join()

    run.refresh_from_db()
    assert (run.worker, run.status) == ("", "running")
    # What comes after the stop is left to others.
    tasks.process_council_async.apply(args=(run.pk,)).get()
    assert not engine.running


def test_every_job_of_the_schedule_is_a_task_that_there_is(settings: Settings) -> None:
    current_app.autodiscover_tasks(force=True)

    named = {fields["task"] for fields in settings.CELERY_BEAT_SCHEDULE.values()}

    assert named <= set(current_app.tasks)
    assert "councils.tasks.resend_unowned_runs" in named
