"""Counts requests for ``RateLimitLog`` without a write per request: in memory, added to the database every few seconds."""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import Error, transaction
from django.db.models import F

from councils.models import RateLimitLog

logger = logging.getLogger(__name__)

FLUSH_S = 10.0
MOST_KEYS = 10_000
"""More visitors than that between two writes are not told apart any more: a flood must not fill the memory."""


class Key(NamedTuple):
    identifier: str
    endpoint: str
    window: int


class RequestCounter:
    """What was asked since the last write. Who counts next after ``FLUSH_S`` seconds writes it down; a database that is away loses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, list[int]] = {}
        self._written = time.monotonic()

    def count(self, identifier: str, endpoint: str, *, blocked: bool) -> None:
        """Note one request."""
        key = Key(identifier[:80], endpoint[:120], int(time.time()) // settings.RATE_LIMIT_WINDOW_SECONDS)
        with self._lock:
            if key not in self._counts and len(self._counts) >= MOST_KEYS:
                key = Key("others", key.endpoint, key.window)
            tally = self._counts.setdefault(key, [0, 0])
            tally[0] += 1
            tally[1] += blocked
            due = time.monotonic() - self._written >= FLUSH_S
        if due:
            self.flush()

    def flush(self) -> None:
        """Write down what was counted."""
        with self._lock:
            counts, self._counts, self._written = self._counts, {}, time.monotonic()
        if not counts:
            return
        try:
            _add(counts)
        except Error as error:
            logger.warning("requests of %d visitors were not counted: %s", len(counts), error)


@transaction.atomic
def _add(counts: Mapping[Key, list[int]]) -> None:
    # In one order everywhere, so that two processes never wait for each other in a circle.
    for key, (asked, blocked) in sorted(counts.items()):
        start = datetime.fromtimestamp(key.window * settings.RATE_LIMIT_WINDOW_SECONDS, UTC)
        end = start + timedelta(seconds=settings.RATE_LIMIT_WINDOW_SECONDS)
        row, _ = RateLimitLog.objects.get_or_create(
            identifier=key.identifier, endpoint=key.endpoint, window_start=start, defaults={"window_end": end}
        )
        RateLimitLog.objects.filter(pk=row.pk).update(request_count=F("request_count") + asked, blocked_count=F("blocked_count") + blocked)


counter = RequestCounter()
