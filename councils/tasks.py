"""Handing work to whoever runs it: ids in, one call each.

Embedded: the engine loop of this process, if it has one. Celery: a message that says "look". Either may be lost or come twice without
harm, since every engine looks for runs that nobody owns.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from kombu.exceptions import OperationalError

from councils import live
from councils.runner import host

logger = logging.getLogger(__name__)


def start(run_pk: int) -> None:
    """Have this run driven soon."""
    if settings.RUN_ENGINE != "celery":
        host.current().submit(run_pk)
        return
    try:
        process_council_async.delay(run_pk)
    except OperationalError as error:
        logger.warning("the broker is away, a worker will find the run: %s", error, extra={"run": run_pk})


def nudge(run_pk: int, run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """The run was changed from outside: tell viewers, and its owner if it is in this process. Another process sees it by its heartbeat."""
    live.tell(run_id, events)
    host.current().nudge(run_pk)


@shared_task(ignore_result=True)
def process_council_async(run_pk: int) -> None:
    """Drive a run in this worker process. All tasks of the process share its engine loop; this one only waits there."""
    host.current().drive_and_wait(run_pk)


@worker_ready.connect
def start_engine(**_: Any) -> None:
    """A worker's engine also looks for unowned runs, so that a lost message costs a second, not the run."""
    host.current().start()


@worker_shutdown.connect
def stop_engine(**_: Any) -> None:
    """Hand the runs over before the process ends."""
    host.current().stop()
