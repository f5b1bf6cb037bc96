"""A Redis that does not answer is left alone for a while by everybody in this process: cache, limits and drafts do without it at once.

Without it, each of them would wait for a time-out of its own, and one request for several in a row. When the rest is over, one caller
tries and the others still do without, until it is known how that went.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from redis.connection import Connection, ConnectionPool
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooSlow

logger = logging.getLogger(__name__)

REST_S = 5.0
TRY_S = 2.0
"""A try of which nothing was heard for so long does not hold up the next one."""


class Resting(Unreachable):
    """Redis failed a moment ago and is not asked now."""


class Gate:
    """Whether one Redis server is asked at all. Times are on this process's monotonic clock."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._shut = False
        self._rest_until = 0.0
        self._trying = 0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Go through for something that may fail. Raises ``Resting`` at once while the gate is shut."""
        self._enter()
        with self.watching():
            yield

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note how something ends that was begun inside."""
        try:
            yield
        except (Unreachable, TooSlow, OSError) as error:
            if not isinstance(error, Resting):
                self._note_failure(error)
            raise

    def note_success(self) -> None:
        """Redis has answered."""
        if self._shut:
            with self._lock:
                self._shut, self._rest_until, self._trying = False, 0.0, 0
            logger.warning("Redis at %s answers again", self._name)

    def _enter(self) -> None:
        if not self._shut:
            return
        with self._lock:
            if self._trying == threading.get_ident():
                return
            if time.monotonic() < self._rest_until:
                raise Resting("Redis failed a moment ago and is not asked now.")
            self._trying = threading.get_ident()
            self._rest_until = time.monotonic() + TRY_S

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            was_shut, self._shut, self._trying = self._shut, True, 0
            self._rest_until = time.monotonic() + REST_S
        if not was_shut:
            logger.warning("Redis at %s is left alone for %g s at a time: %s: %s", self._name, REST_S, type(error).__name__, error)


@cache
def gate_of(name: str) -> Gate:
    """The gate of the server at ``host:port`` or at this socket's path."""
    return Gate(name)


@cache
def gated(connection_class: Any) -> type[Connection]:
    """This class of connections, behind the gate of the server that they lead to."""

    class Gated(connection_class):  # type: ignore[misc]
        """The library asks these three for whatever it does."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.gate = gate_of(str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"))

        def connect_check_health(self, *args: Any, **options: Any) -> None:
            with self.gate.passing():
                super().connect_check_health(*args, **options)

        def send_packed_command(self, *args: Any, **options: Any) -> None:
            with self.gate.passing():
                super().send_packed_command(*args, **options)

        def read_response(self, *args: Any, **options: Any) -> Any:
            with self.gate.watching():
                answer = super().read_response(*args, **options)
            self.gate.note_success()
            return answer

    return Gated


class GatedPool(ConnectionPool):
    """The library's pool, of connections behind a gate."""

    def __init__(self, connection_class: type[Connection] = Connection, **options: Any) -> None:
        inner: Any = connection_class
        super().__init__(connection_class=gated(inner), **options)


NOTHING = b"null"


@lru_cache(maxsize=100)
def _note_unfit(kind: str, why: str) -> None:
    """Said once of each kind of value: whoever keeps it will try again with every page."""
    logger.warning("a value of the type %s is not cached, since it cannot be written as JSON: %s", kind, why)


class PlainSerializer:
    """Cached values as JSON: what somebody else may have written there is never run as code, and garbage is as good as nothing."""

    def __init__(self, options: Any) -> None:
        """Called by ``django_redis`` with the options of the cache."""

    def dumps(self, value: Any) -> bytes:
        """The value as JSON. One that is no JSON, as libraries may keep objects of their own, is as good as not kept: ``loads`` gives
        nothing."""
        try:
            return json.dumps(value).encode()
        except (TypeError, ValueError, RecursionError) as error:
            _note_unfit(type(value).__name__, str(error))
            return NOTHING

    def loads(self, value: bytes) -> Any:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
