"""Both tiers as one: read the fast one first, write both, count the uses."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from django.db import Error

from councils.caching import rows
from councils.caching.fast import FastTier
from councils.caching.rows import Entry
from councils.telemetry import metrics

logger = logging.getLogger(__name__)

FLUSH_S = 10.0
GENERATION_S = 1.0
"""For so long a process may still read of the fast tier what was given up elsewhere while that tier could not be reached."""
ROOM_EVERY = 50
"""So many new responses may come before the size is looked at."""
OPERATIONS: Mapping[Callable[..., Any], str] = {rows.find: "get", rows.keep: "set", rows.make_room: "evict"}


class RunsSync(Protocol):
    """Runs a function with the ORM in a thread, and returns what it returns: the engine's writer."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]: ...


class Shelf:
    """Keeps responses of one process. Used on the engine loop only; ``run`` does the work with the database."""

    def __init__(self, run: RunsSync, fast: FastTier | None = None) -> None:
        self._run = run
        self.fast = fast or FastTier()
        self._hits: Counter[str] = Counter()
        self._looked: Counter[str] = Counter()
        self._found: Counter[str] = Counter()
        self._noted = time.monotonic()
        self._kept = 0
        self._generation_at = float("-inf")

    async def find(self, kind: str, key: str, *, is_good: Callable[[Any], bool] = lambda _: True) -> Any:
        """The stored value, or ``None``. What is not good in the fast tier is looked for in the database; what that has is not judged."""
        await self._learn_generations()
        value = await asyncio.to_thread(self.fast.get, kind, key)
        if value is not None and not is_good(value):
            value = None
        if value is None and (row := await self._database(rows.find, kind, key)) is not None:
            value, left_s = row
            await asyncio.to_thread(lambda: self.fast.put(kind, key, value, ttl_s=left_s))
        self.note(kind, key, found=value is not None)
        await self.flush_if_due()
        return value

    async def _learn_generations(self) -> None:
        if time.monotonic() - self._generation_at >= GENERATION_S:
            self._generation_at = time.monotonic()
            known = await self._database(rows.generations)
            self.fast.generations = self.fast.generations if known is None else known

    def note(self, kind: str, key: str, *, found: bool) -> None:
        """Count one look, to be written down at the next ``flush``."""
        self._looked[kind] += 1
        metrics.cache_used("get", "hit" if found else "miss")
        if found:
            self._found[kind] += 1
            self._hits[key] += 1

    async def keep(self, entry: Entry) -> None:
        """Store it in both tiers."""
        await asyncio.to_thread(lambda: self.fast.put(entry.kind, entry.key, dict(entry.data), ttl_s=entry.ttl_s))
        if not await self._database(rows.keep, entry):
            return
        metrics.cache_used("set", "ok")
        self._kept += 1
        if self._kept % ROOM_EVERY == 0:
            await self._database(rows.make_room)

    async def flush_if_due(self) -> None:
        """Write down what was used, every few seconds."""
        if time.monotonic() - self._noted >= FLUSH_S:
            await self.flush()

    async def flush(self) -> None:
        """Write down what was used since the last time."""
        self._noted = time.monotonic()
        if not self._looked:
            return
        looked = {kind: (count, self._found[kind]) for kind, count in self._looked.items()}
        hits = dict(self._hits)
        self._hits, self._looked, self._found = Counter(), Counter(), Counter()
        await self._database(rows.note_uses, hits, looked)

    async def _database(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._run(function, *args)
        except Error as error:
            metrics.cache_used(OPERATIONS.get(function, "other"), "error")
            logger.warning("the database's part of the cache was not used: %s", error)
            return None
