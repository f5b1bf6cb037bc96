"""The schedule of background work: rows that staff edit, read by Celery's beat or, without a broker, by the process that serves.

A job is known by the name of its task, so that this package needs no other to be installed.
"""

import json
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django_celery_beat.models import PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import ModelEntry
from kombu.exceptions import OperationalError

from councils.models import ScheduledJob

logger = logging.getLogger(__name__)

OUTCOME_CHARS = 500
# No job may take longer; after that its holder is dead.
LONGEST = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)
# Jobs that only make sense beside a broker.
BROKER_ONLY = frozenset({"councils.tasks.resend_unowned_runs"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job went: what it returned as text, or why it failed."""

    succeeded: bool
    text: str


def enter_jobs(jobs: Mapping[str, Mapping[str, Any]]) -> None:
    """Write those jobs into the schedule that it does not hold yet. What staff have changed or switched off stays as it is."""
    known = set(PeriodicTask.objects.filter(name__in=jobs).values_list("name", flat=True))
    for name, fields in jobs.items():
        if name not in known:
            ModelEntry.from_entry(name, app=current_app, **fields)


def run_due_jobs() -> dict[str, Outcome]:
    """Run all jobs that are due, one after the other; those that were missed while no process ran, once. For use without a broker."""
    outcomes: dict[str, Outcome] = {}
    for row in PeriodicTask.objects.enabled().exclude(task__in=BROKER_ONLY).order_by("pk"):
        if _take_turn(row) and (outcome := run_job(row)) is not None:
            outcomes[row.name] = outcome
    return outcomes


def _take_turn(row: PeriodicTask) -> bool:
    """Whether the job is due, and this process is the one that runs it this time: only one can move the row on from what it has seen."""
    seen = row.last_run_at
    # Asking may switch an expired job off; it also fills in when a job that never ran was made.
    if row.task not in _tasks() or not ModelEntry(row, app=current_app).is_due().is_due:
        return False
    turn = PeriodicTask.objects.filter(pk=row.pk, enabled=True, last_run_at=seen)
    moved: int = turn.update(last_run_at=timezone.now(), total_run_count=F("total_run_count") + 1)
    return moved == 1


def run_job(row: PeriodicTask) -> Outcome | None:
    """Run a job here and now, and keep how it went. ``None`` where somebody else is running it."""
    now = timezone.now()
    holder = f"{socket.gethostname()}:{os.getpid()}"
    if not _hold(row.name, holder, now):
        return None
    outcome = _carry_out(row)
    done = {"held_until": None, "finished_at": timezone.now(), "succeeded": outcome.succeeded, "outcome": outcome.text}
    ScheduledJob.objects.filter(name=row.name, holder=holder, started_at=now).update(**done)
    return outcome


def _hold(name: str, holder: str, now: datetime) -> bool:
    job, _ = ScheduledJob.objects.get_or_create(name=name)
    # A hold that ends later than any hold can was taken before the clock was set back.
    free = Q(held_until=None) | Q(held_until__lte=now) | Q(held_until__gt=now + LONGEST)
    held = ScheduledJob.objects.filter(free, pk=job.pk)
    return held.update(holder=holder, held_until=now + LONGEST, started_at=now, finished_at=None, succeeded=None, outcome="") == 1


def _carry_out(row: PeriodicTask) -> Outcome:
    task = _tasks().get(row.task)
    if task is None:
        return Outcome(False, f"There is no task {row.task}.")
    try:
        result = task(*json.loads(row.args or "[]"), **json.loads(row.kwargs or "{}"))
    except Exception as error:  # One broken job must not keep the others from running. Staff see it, and it is tried again when it is due.
        logger.exception("job failed", extra={"job": row.name})
        return Outcome(False, f"{type(error).__name__}: {error}"[:OUTCOME_CHARS])
    return Outcome(True, json.dumps(result, default=str)[:OUTCOME_CHARS])


def run_now(row: PeriodicTask) -> str:
    """Run a job out of turn: by a worker where there are workers, else here. What became of it, in one sentence."""
    if row.task not in _tasks():
        return f"{row.name}: there is no task {row.task}."
    if settings.RUN_ENGINE == "celery":
        return _send(row)
    outcome = run_job(row)
    if outcome is None:
        return f"{row.name} is running already."
    return f"{row.name}: {outcome.text}" if outcome.succeeded else f"{row.name} failed: {outcome.text}"


def _send(row: PeriodicTask) -> str:
    try:
        _tasks()[row.task].apply_async(args=json.loads(row.args or "[]"), kwargs=json.loads(row.kwargs or "{}"), queue=row.queue)
    except OperationalError:
        return f"{row.name} was not sent: the broker does not answer."
    return f"{row.name} was sent to the workers."


def switch(rows: Any, *, on: bool) -> int:
    """Switch jobs on or off; how many. Beat, or the process that serves, sees it within seconds."""
    with transaction.atomic():
        changed: int = rows.update(enabled=on, date_changed=timezone.now())
        # Celery's beat rereads its rows only when it is told to.
        PeriodicTasks.update_changed()
    return changed


def _tasks() -> Any:
    """All tasks of all installed apps, by name."""
    _discover()
    return current_app.tasks


@cache
def _discover() -> None:
    # Not import_default_modules: that sets Django up anew, with its logging.
    current_app.autodiscover_tasks(force=True)
