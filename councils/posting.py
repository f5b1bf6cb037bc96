"""Messages for Celery's broker, sent by a thread of their own: no request waits for a broker that is slow or away.

Only for tasks that somebody finds without a message, as engines find runs that nobody owns: while the broker is away, messages are dropped.
"""

import logging
import queue
import threading
import time
from typing import Any

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

MOST_WAITING = 1_000
REST_S = 5.0
"""How long a broker that failed is left alone."""


class Poster:
    """The messages of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Any, tuple[Any, ...]]] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._rest_until = 0.0

    def post(self, task: Any, *args: Any) -> None:
        """Send this task soon, or not at all. Returns at once."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="posting", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait((task, args))
        except queue.Full:
            logger.warning("%d messages wait for the broker: %s%r is not sent, a worker will find the run", MOST_WAITING, task.name, args)

    def settle(self) -> None:
        """Wait until everything was sent or dropped."""
        self._waiting.join()

    def _work(self) -> None:
        while True:
            task, args = self._waiting.get()
            try:
                self._send(task, args)
            except Exception:  # One message that cannot be sent must not keep back those behind it.
                logger.exception("%s%r is not sent, a worker will find the run", task.name, args)
            finally:
                self._waiting.task_done()

    def _send(self, task: Any, args: tuple[Any, ...]) -> None:
        if time.monotonic() < self._rest_until:
            return
        try:
            task.delay(*args)
        except OperationalError as error:
            self._rest_until = time.monotonic() + REST_S
            logger.warning("the broker is away, a worker will find the run without it; none is sent for %g s: %s", REST_S, error)


_poster = Poster()


def current() -> Poster:
    """The one of this process."""
    return _poster
