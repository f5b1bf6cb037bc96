"""Whether this process can serve: asked by load balancers every few seconds, answered within two, whatever hangs.

Each group of questions has a thread of its own, so that one that hangs holds up nobody: it is not asked again before it has come back, and
until then the answer is that it is away.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db import Error as DatabaseFault
from django.db.migrations.executor import MigrationExecutor

from councils.models import EngineSign, HealthRecord, HealthState, Provider

logger = logging.getLogger(__name__)

DEADLINE_S = 1.5
FRESH_S = 1.0
"""So long one answer is good for everybody: who asks more often learns nothing new, and costs nothing."""
HANGS_S = 8.0
"""A database that was well the last time is called down only when a question stays open for so long. In a process that is busy, asking
takes its time while the database is well."""
REDIS_TIMEOUT_S = 1.0
LEAST_FREE_BYTES = 64 * 2**20
"""With less room than this for SQLite, pages can still be read while questions soon cannot be kept."""


class Status(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    NOT_USED = "not_used"


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that the site needs. ``latency_ms`` is how long it took to answer; of providers, the slowest at the last check."""

    status: Status
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """All components, and what follows: ``down`` where this process cannot serve, ``degraded`` where it serves less well."""

    components: Mapping[str, Component]

    @property
    def status(self) -> Status:
        states = {component.status for component in self.components.values()}
        if Status.DOWN in states:
            return Status.DOWN
        return Status.DEGRADED if Status.DEGRADED in states else Status.OK


Components = dict[str, Component]


class _Probe:
    """One group of questions, asked in a thread. ``away`` is what holds while it does not answer, ``late`` while it is merely slow."""

    def __init__(self, ask: Callable[[], Iterator[Components]], away: Components, late: Components | None = None) -> None:
        self._ask = ask
        self._away = away
        self._late = late or {}
        self._thread: threading.Thread | None = None
        self._began = 0.0
        self._was_well = False
        self._found: Components = {}

    def begin(self) -> None:
        """Ask, unless the last question is still open."""
        if self._thread is None or not self._thread.is_alive():
            self._was_well = bool(self._found) and Status.DOWN not in {part.status for part in self._found.values()}
            self._found = {}
            self._began = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
            self._thread.start()

    def result(self, until: float) -> Components:
        """The answers that came until this moment of the monotonic clock."""
        if self._thread is not None:
            self._thread.join(max(0.0, until - time.monotonic()))
        is_late = self._was_well and time.monotonic() - self._began < HANGS_S
        return self._away | (self._late if is_late else {}) | self._found

    def _run(self) -> None:
        for part in self._ask():
            # A new one each time: the one that was there may be read meanwhile.
            self._found = self._found | part


class _Observer:
    """Asks all there is at most once in ``FRESH_S``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: tuple[float, Readiness] | None = None
        self._probes = (
            _Probe(
                _ask_database,
                {
                    "database": Component(Status.DOWN),
                    "celery": Component(Status.UNKNOWN),
                    "llm_providers": Component(Status.UNKNOWN),
                },
                late={"database": Component(Status.DEGRADED)},
            ),
            _Probe(_ask_redis, {"redis": Component(Status.DEGRADED)}),
        )

    def look(self) -> Readiness:
        with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] >= FRESH_S:
                found = self._ask()
                self._seen = time.monotonic(), found
            return self._seen[1]

    def _ask(self) -> Readiness:
        until = time.monotonic() + DEADLINE_S
        for probe in self._probes:
            probe.begin()
        found: Components = {}
        for probe in self._probes:
            found |= probe.result(until)
        return Readiness({name: found[name] for name in ("database", "redis", "celery", "llm_providers")})


@cache
def _observer() -> _Observer:
    return _Observer()


def readiness() -> Readiness:
    """How this process stands. Takes two seconds at most."""
    return _observer().look()


def _ask_database() -> Iterator[Components]:
    """The database, and what it knows of engines and providers."""
    start = time.monotonic()
    try:
        _connect_apart()
        if not _is_writable() or not _is_migrated():
            yield {"database": Component(Status.DOWN, _since(start))}
            return
        yield {"database": Component(_room(), _since(start))}
        start = time.monotonic()
        alive = EngineSign.objects.alive().exists()
        yield {"celery": Component(Status.OK if alive else Status.DEGRADED, _since(start))}
        yield {"llm_providers": _providers()}
    except DatabaseFault:
        yield {"database": Component(Status.DOWN)}
    finally:
        connection.close()


def _is_writable() -> bool:
    """Whether it answers, and takes what is written: after a switch to another server, PostgreSQL may only be read."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only" if connection.vendor == "postgresql" else "SELECT 'off'")
        return bool(cursor.fetchone() == ("off",))


_is_full = threading.Event()


def _room() -> Status:
    """Whether SQLite's disk has room. Of the disk of a server elsewhere this process knows nothing."""
    file = _database_file()
    free = shutil.disk_usage(file.parent).free if file is not None else LEAST_FREE_BYTES
    if free >= LEAST_FREE_BYTES:
        _is_full.clear()
        return Status.OK
    if not _is_full.is_set():
        logger.error("the disk of the database is nearly full: %d bytes are free, questions may not be kept", free)
    _is_full.set()
    return Status.DEGRADED


def _database_file() -> Path | None:
    """Where SQLite keeps its rows, if it keeps them in a file."""
    file = Path(connection.settings_dict["NAME"])
    return file if connection.vendor == "sqlite" and file.is_file() else None


def _connect_apart() -> None:
    """Give this thread a connection that is not of the pool: visitors who wait for one say nothing of the database."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    connections[DEFAULT_DB_ALIAS] = own


_migrated = threading.Event()


def _is_migrated() -> bool:
    """Whether the tables are those of this version. Once they are, they stay so for the life of the process."""
    if not _migrated.is_set():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        _migrated.set()
    return True


def _providers() -> Component:
    """What the last health check found of the active providers: one that has an address that works, works."""
    refusing = set(Provider.objects.in_trouble().values_list("pk", flat=True))
    fresh = HealthRecord.objects.of_addresses().current().in_use().fresh()
    rows = list(fresh.values_list("provider_id", "state", "latency_ms"))
    if not rows and not refusing:
        return Component(Status.UNKNOWN)
    works = {provider for provider, state, _ in rows if state != HealthState.FAILING} - refusing
    latency = max((latency for _, _, latency in rows if latency is not None), default=None)
    return Component(Status.DEGRADED if ({provider for provider, *_ in rows} | refusing) - works else Status.OK, latency)


def _ask_redis() -> Iterator[Components]:
    urls = {url for url in (settings.REDIS_URL, settings.REDIS_CACHE_URL) if url}
    if not urls:
        yield {"redis": Component(Status.NOT_USED)}
        return
    start = time.monotonic()
    try:
        for url in urls:
            _client(url).ping()
        yield {"redis": Component(Status.OK, _since(start))}
    except redis.RedisError:
        yield {"redis": Component(Status.DEGRADED, _since(start))}


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)


def _since(start: float) -> float:
    return round((time.monotonic() - start) * 1000, 2)
