"""The schedule: rows that staff edit, each job run once when it is due, by whoever is there."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app, shared_task
from django.db import OperationalError as Away
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from councils.models import ScheduledJob
from councils.services import scheduling
from councils.services.clock import Clock
from councils.services.scheduling import enter_jobs, run_due_jobs, run_job, run_now, switch
from councils.tests.durability.support import wait_until

pytestmark = pytest.mark.django_db
WORK: list[Callable[..., Any]] = []
AGO = timedelta(hours=1)


@shared_task(name="tests.work")
def work(*args: Any, **kwargs: Any) -> Any:
    return WORK[-1](*args, **kwargs)


@pytest.fixture(autouse=True)
def calls() -> Iterator[list[tuple[Any, ...]]]:
    """How the job was called."""
    seen: list[tuple[Any, ...]] = []

    def note(*args: Any, **kwargs: Any) -> dict[str, int]:
        seen.append((args, kwargs))
        return {"done_count": len(seen)}

    WORK.append(note)
    yield seen
    WORK.clear()


def job(name: str = "work", *, task: str = "tests.work", last: timedelta | None = AGO, **fields: Any) -> PeriodicTask:
    """A job of every minute that last ran so long ago."""
    minute, _ = IntervalSchedule.objects.get_or_create(every=60, period="seconds")
    ran = timezone.now() - last if last is not None else None
    return PeriodicTask.objects.create(name=name, task=task, interval=minute, last_run_at=ran, **fields)


def test_a_job_that_was_missed_while_nothing_ran_is_run_once(calls: list[tuple[Any, ...]]) -> None:
    row = job(args="[1]", kwargs='{"b": 2}')

    assert list(run_due_jobs()) == ["work"]
    assert run_due_jobs() == {}
    assert calls == [((1,), {"b": 2})]
    row.refresh_from_db()
    assert row.total_run_count == 1
    assert timezone.now() - row.last_run_at < timedelta(minutes=1)


def test_a_job_that_is_not_due_or_switched_off_or_new_waits(calls: list[tuple[Any, ...]]) -> None:
    job("fresh", last=timedelta(seconds=5))
    job("off", enabled=False)
    job("new", last=None)

    assert run_due_jobs() == {}
    assert calls == []


def test_a_job_that_never_ran_is_due_once_its_time_has_passed_since_it_was_made(calls: list[tuple[Any, ...]]) -> None:
    row = job("new", last=None)
    PeriodicTask.objects.filter(pk=row.pk).update(date_changed=timezone.now() - AGO)

    assert list(run_due_jobs()) == ["new"]
    assert len(calls) == 1


def test_a_job_of_a_package_that_is_not_installed_waits_for_it() -> None:
    row = job(task="nobody.tasks.knows")

    assert run_due_jobs() == {}
    row.refresh_from_db()
    assert row.total_run_count == 0


def test_what_only_makes_sense_beside_a_broker_is_left_to_it(calls: list[tuple[Any, ...]]) -> None:
    job(task="councils.tasks.resend_unowned_runs")

    assert run_due_jobs() == {}


def test_how_it_went_is_kept(calls: list[tuple[Any, ...]]) -> None:
    job()
    run_due_jobs()

    kept = ScheduledJob.objects.get()
    assert (kept.name, kept.succeeded, kept.outcome, kept.held_until) == ("work", True, '{"done_count": 1}', None)
    assert kept.started_at is not None
    assert kept.finished_at is not None


def test_a_job_that_fails_is_told_and_keeps_no_other_from_running(calls: list[tuple[Any, ...]], caplog: pytest.LogCaptureFixture) -> None:
    WORK.append(lambda: 1 // 0)
    job("broken")
    job("cleaning", task="councils.tasks.cleanup_expired_cache")

    outcomes = run_due_jobs()

    assert not outcomes["broken"].succeeded
    assert outcomes["cleaning"].succeeded
    assert ScheduledJob.objects.get(name="broken").outcome.startswith("ZeroDivisionError")
    assert "job failed" in caplog.text


def test_a_job_with_arguments_that_are_none_fails_alone() -> None:
    job(args='["too", "many"]', task="councils.tasks.cleanup_expired_cache")

    assert run_due_jobs()["work"].text.startswith("TypeError")


def test_who_was_slower_by_a_moment_does_not_run_it_again(calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    row = job()
    monkeypatch.setattr(scheduling, "_tasks", _meanwhile(row))

    assert run_due_jobs() == {}
    assert calls == []


def _meanwhile(row: PeriodicTask) -> Callable[[], Any]:
    """Another process takes the turn between this one's look and its own attempt."""

    def tasks() -> Any:
        PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=timezone.now())
        return current_app.tasks

    return tasks


def test_a_job_that_somebody_else_is_running_is_not_begun(calls: list[tuple[Any, ...]]) -> None:
    ScheduledJob.objects.create(name="work", holder="other:1", held_until=timezone.now() + timedelta(minutes=5))

    assert run_job(job()) is None
    assert calls == []


@pytest.mark.parametrize("until", [timedelta(seconds=-1), timedelta(hours=2)], ids=["run out", "of a clock that was set back"])
def test_the_hold_of_a_process_that_died_ends(calls: list[tuple[Any, ...]], until: timedelta) -> None:
    ScheduledJob.objects.create(name="work", holder="dead:1", held_until=timezone.now() + until)

    assert run_job(job()) is not None
    assert len(calls) == 1


def test_jobs_are_entered_once_and_what_staff_have_changed_stays(settings: Settings) -> None:
    enter_jobs(settings.CELERY_BEAT_SCHEDULE)
    hourly = PeriodicTask.objects.get(name="cleanup_expired_cache")
    assert (hourly.task, hourly.crontab.minute, hourly.crontab.hour) == ("councils.tasks.cleanup_expired_cache", "0", "*")
    assert PeriodicTask.objects.get(name="health_check_models").interval.every == 300
    slower = IntervalSchedule.objects.create(every=7, period="days")
    PeriodicTask.objects.filter(name="health_check_models").update(interval=slower, enabled=False)

    enter_jobs(settings.CELERY_BEAT_SCHEDULE)

    changed = PeriodicTask.objects.get(name="health_check_models")
    assert (changed.interval, changed.enabled) == (slower, False)
    assert PeriodicTask.objects.count() == len(settings.CELERY_BEAT_SCHEDULE)


def test_run_now_runs_it_here_where_there_is_no_broker(calls: list[tuple[Any, ...]]) -> None:
    row = job(enabled=False, last=timedelta(0))

    assert run_now(row) == 'work: {"done_count": 1}'
    assert run_now(job("gone", task="no.such.task")) == "gone: there is no task no.such.task."
    WORK.append(lambda: 1 // 0)
    assert run_now(row).startswith("work failed: ZeroDivisionError")


def test_run_now_sends_it_to_the_workers_where_there_are_workers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]]
) -> None:
    settings.RUN_ENGINE = "celery"
    sent: list[Any] = []
    monkeypatch.setattr(work, "apply_async", lambda **message: sent.append(message))

    assert run_now(job(args="[1]")) == "work was sent to the workers."
    assert sent == [{"args": [1], "kwargs": {}, "queue": None}]
    assert calls == []

    def away(**_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(work, "apply_async", away)
    assert run_now(PeriodicTask.objects.get()) == "work was not sent: the broker does not answer."


def test_beat_is_told_when_jobs_are_switched() -> None:
    row = job()
    before = PeriodicTasks.last_change()

    assert switch(PeriodicTask.objects.all(), on=False) == 1

    row.refresh_from_db()
    assert not row.enabled
    after = PeriodicTasks.last_change()
    assert after is not None
    assert before is None or after > before


@pytest.mark.django_db(transaction=True)
def test_processes_that_look_at_the_same_time_run_a_job_once(calls: list[tuple[Any, ...]]) -> None:
    job()
    start = threading.Barrier(4)

    def look() -> None:
        start.wait()
        try:
            run_due_jobs()
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) == 1
    assert PeriodicTask.objects.get().total_run_count == 1


@pytest.mark.django_db(transaction=True)
def test_the_clock_enters_the_schedule_and_runs_what_is_due(settings: Settings, calls: list[tuple[Any, ...]]) -> None:
    job()
    clock = Clock(tick_s=0.02)
    clock.start()
    try:
        wait_until(lambda: bool(calls), "the job is run")
    finally:
        clock.stop()

    assert len(calls) == 1
    assert set(settings.CELERY_BEAT_SCHEDULE) < set(PeriodicTask.objects.values_list("name", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [Away, RuntimeError], ids=["an absent database", "a fault that nobody foresaw"])
def test_the_clock_outlives(fault: type[Exception], calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    job()
    tries = iter([True, True])

    def flaky(*args: Any) -> Any:
        if next(tries, False):
            raise fault("gone")
        return run_due_jobs()

    monkeypatch.setattr("councils.services.clock.run_due_jobs", flaky)
    clock = Clock(tick_s=0.02)
    clock.start()
    try:
        wait_until(lambda: bool(calls), "the job is run once the fault is over")
    finally:
        clock.stop()
