"""Handing work to whoever runs it: ids in, one call each.

Embedded: the engine loop of this process, if it has one. Celery: a message that says "look". Either may be lost or come twice without
harm, since every engine looks for runs that nobody owns.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_shutdown, worker_shutting_down
from django.conf import settings

from councils import posting
from councils.checks import tell_redis_policy
from councils.health.checking import check_health
from councils.live.broadcast import tell
from councils.runner import host
from councils.runner.unowned import Unowned
from councils.store.claims import live_runs
from councils.store.cleaning import clean_up
from councils.telemetry.exposition import worker_server

logger = logging.getLogger(__name__)


def start(run_pk: int) -> None:
    """Have this run driven soon."""
    if settings.RUN_ENGINE != "celery":
        host.current().submit(run_pk)
        return
    posting.current().post(process_council_async, run_pk)


def nudge(run_pk: int, run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """The run was changed from outside: tell viewers, and its owner if it is in this process. Another process sees it by its heartbeat."""
    tell(run_id, events)
    host.current().nudge(run_pk)


@shared_task(ignore_result=True)
def process_council_async(run_pk: int) -> None:
    """Have the engine of this worker process drive a run, beside all others that it drives. Returns at once.

    Waiting here for the end would hold a thread of the pool for minutes: as many runs as threads would keep health checks, exports and
    each other waiting, and a stop would wait for them. What becomes of the run is in the database, which is where ``task_id`` leads.
    """
    host.current().submit(run_pk)


@shared_task
def resend_unowned_runs() -> dict[str, int]:
    """Send the runs again that nobody has owned for a lease's time. A run that is sent twice is driven once."""
    due = _unowned().due(live_runs(), now=time.monotonic())
    for run_pk in due:
        start(run_pk)
    if due:
        logger.warning("%d runs had no owner and were sent again", len(due))
    return {"sent_count": len(due)}


@cache
def _unowned() -> Unowned:
    """What this process remembers; each worker that gets the task learns by itself."""
    return Unowned(settings.RUN_LEASE_TTL_S)


@shared_task
def cleanup_expired_cache() -> dict[str, int]:
    """Delete cached responses that are not good any more, and other rows that nobody needs."""
    return {"deleted_count": clean_up()}


@shared_task
def health_check_models() -> dict[str, int]:
    """Ask every active provider whether it and its active models are there. Costs nothing."""
    return check_health()


@celeryd_after_setup.connect
def start_engine(**_: Any) -> None:
    """A worker's engine also looks for unowned runs, so that a lost message costs a second, not the run.

    It starts before the worker reaches the broker: one that is away or hangs then must not keep runs waiting.
    """
    tell_redis_policy()
    host.current().start()
    worker_server.start()


@worker_shutting_down.connect
def hand_over(**_: Any) -> None:
    """The first word of a stop, warm or cold: hand the runs over now, whatever else the worker still waits for.

    It comes in a signal's handler, which must not wait. The thread is no daemon, so that the process does not end before it.
    """
    threading.Thread(target=host.current().stop, name="hand-over").start()


@worker_shutdown.connect
def stop_engine(**_: Any) -> None:
    """The last word, for a worker that ends without having been told to."""
    host.current().stop()
    worker_server.stop()
