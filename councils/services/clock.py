"""The clock of an installation without a broker: a thread beside the engine that runs the jobs of the schedule when they are due."""

import logging
import threading

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection

from councils.services.scheduling import enter_jobs, run_due_jobs

logger = logging.getLogger(__name__)

TICK_S = 5.0
STOP_S = 5.0


class Clock:
    """Looks every few seconds for jobs that are due. Several processes may have one: each job is run by one of them."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        self._tick_s = tick_s
        self._entered = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="council-clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread. A job that takes longer than a few seconds is left: it is run again after the next start."""
        self._stopping.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tick()
            except DatabaseFault:
                logger.warning("the database is away; the schedule goes on when it is back")
            except Exception:  # Nobody else looks after the schedule of this installation.
                logger.exception("a look at the schedule failed; the next one follows")
            self._stopping.wait(self._tick_s)

    def _tick(self) -> None:
        try:
            if not self._entered:
                enter_jobs(settings.CELERY_BEAT_SCHEDULE)
                self._entered = True
            run_due_jobs()
        finally:
            # Held for hours, a connection would outlive the server at its other end.
            connection.close()
