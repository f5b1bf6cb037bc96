"""The fast tier: Django's cache, trusted with nothing. A tier that fails is left alone for a while."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any, TypeVar

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

from councils.telemetry import metrics

logger = logging.getLogger(__name__)

ALIAS = "responses"
REST_S = 10.0
T = TypeVar("T")


class FastTier:
    """Reads and writes values by kind and key. Every method is sync, takes a moment, and never raises."""

    def __init__(self, generations: Mapping[str, int] | None = None) -> None:
        self.generations = generations or {}
        self._rest_until = 0.0
        self._token = token_hex(8)

    def get(self, kind: str, key: str) -> Any:
        """The value, or ``None``."""
        return self._try(lambda: caches[ALIAS].get(self._name(kind, key)))

    def put(self, kind: str, key: str, value: Any, *, ttl_s: float) -> None:
        self._try(lambda: caches[ALIAS].set(self._name(kind, key), value, timeout=ttl_s))

    def drop_many(self, kind: str, keys: Sequence[str]) -> None:
        """Forget these, if that can be done now."""
        self._try(lambda: caches[ALIAS].delete_many([self._name(kind, key) for key in keys]))

    def clear(self, kind: str) -> None:
        """Forget everything of a kind, if that can be done now; where it cannot be told apart, everything."""
        self._try(lambda: _clear(caches[ALIAS], kind))

    def claim(self, kind: str, key: str, *, ttl_s: float) -> bool:
        """Be the one process that makes this call. ``True`` also when nobody can tell: then the call is made."""
        claimed = self._try(lambda: caches[ALIAS].add(self._name(kind, key) + ":flight", self._token, timeout=ttl_s))
        return claimed is not False

    def renew(self, kind: str, key: str, *, ttl_s: float) -> None:
        """Hold on to a claim, if nobody has taken it over."""
        if self._is_mine(kind, key):
            self._try(lambda: caches[ALIAS].touch(self._name(kind, key) + ":flight", timeout=ttl_s))

    def release(self, kind: str, key: str) -> None:
        """Let another process make this call."""
        if self._is_mine(kind, key):
            self._try(lambda: caches[ALIAS].delete(self._name(kind, key) + ":flight"))

    def _name(self, kind: str, key: str) -> str:
        """Entries of an earlier generation have other names, so that nobody finds them: they expire unseen."""
        number = self.generations.get(kind, 0)
        return f"{kind}:{number}.{key}" if number else f"{kind}:{key}"

    def _is_mine(self, kind: str, key: str) -> bool:
        return self._try(lambda: caches[ALIAS].get(self._name(kind, key) + ":flight")) == self._token

    def answers(self) -> bool:
        """Whether the tier works now."""
        self._rest_until = 0.0
        probe = time.time_ns()
        self.put("probe", "probe", probe, ttl_s=10)
        return bool(self.get("probe", "probe") == probe)

    def _try(self, work: Callable[[], T]) -> T | None:
        if time.monotonic() < self._rest_until:
            return None
        try:
            return work()
        except Exception as error:  # A cache of any make may fail in any way, and none of them may stop a run.
            self._rest_until = time.monotonic() + REST_S
            metrics.cache_used("fast_tier", "error")
            logger.warning("the fast cache is not used for %g s: %s: %s", REST_S, type(error).__name__, error)
            return None


def _clear(cache: BaseCache, kind: str) -> None:
    # Clearing a Redis would empty the whole database, which may hold the broker's queues too.
    if hasattr(cache, "delete_pattern"):
        cache.delete_pattern(f"{kind}:*")
    else:
        cache.clear()
