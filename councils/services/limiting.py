"""How much one visitor may ask for: token buckets that all processes share.

A bucket holds ``burst`` tokens and fills at ``requests`` per ``window_s``; a request takes one, an empty bucket refuses. The library
counts with GCRA, which is a token bucket in exact arithmetic: its class named "token bucket" rounds to whole seconds and tokens, and one
token in 36 s would then never come back to somebody who asks every 30 s.

Where Redis is set the buckets live there, else in this process, which is then the only one. A Redis that is away makes every process
count for itself for a while: the limits get looser, the pages go on. Limits of money are the database's work and do not come here.
"""

import logging
import math
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from django.conf import settings
from throttled import Throttled, per_duration
from throttled.exceptions import StoreUnavailableError
from throttled.store import MemoryStore, RedisStore

logger = logging.getLogger(__name__)

MEMORY_BUCKETS = 100_000
VERDICT = "councils.rate_verdict"
"""Where a request's ``META`` keeps what its bucket said."""

REDIS_TIMEOUT_S = 0.5
REDIS_REST_S = 5.0
"""How long a Redis that failed is left alone: nobody waits for it again and again."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``requests`` per ``window_s`` seconds, ``burst`` of them at once; 0 requests: no limit. A ``local`` rule stays in this process."""

    name: str
    requests: int
    window_s: int
    burst: int
    local: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bucket said. ``reset_after_s`` is when it will be full again, ``retry_after_s`` when one more may come (0 if allowed)."""

    allowed: bool
    limit: int
    remaining: int
    reset_after_s: float
    retry_after_s: float

    def headers(self) -> dict[str, str]:
        """``X-RateLimit-Limit``: requests per window, ``-Remaining``: what may come at once now, ``-Reset``: Unix time of a full bucket."""
        told = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(time.time() + self.reset_after_s)),
        }
        return told if self.allowed else {**told, "Retry-After": str(self.retry_after)}

    @property
    def retry_after(self) -> int:
        """Whole seconds to wait, at least one for who was refused."""
        return 0 if self.allowed else max(1, math.ceil(self.retry_after_s))


def changes() -> Rule:
    """For requests of programs that start or change something, and for what people start from pages."""
    return Rule("changes", settings.RATE_LIMIT_REQUESTS, settings.RATE_LIMIT_WINDOW_SECONDS, settings.RATE_LIMIT_BURST)


def reads() -> Rule:
    """For pages and their small forms, and for requests of programs that only read: following a run takes many of them."""
    return Rule("reads", settings.RATE_LIMIT_READ_REQUESTS, settings.RATE_LIMIT_WINDOW_SECONDS, settings.RATE_LIMIT_READ_BURST)


def failed_keys() -> Rule:
    """For requests with an API key that nobody has, by address."""
    return Rule("failed-keys", 60 if settings.RATE_LIMIT_REQUESTS else 0, window_s=300, burst=60)


SOCKET_MESSAGES = Rule("socket-messages", requests=20, window_s=1, burst=20, local=True)
"""For messages on one socket."""


class _Buckets:
    """Where the buckets are. ``_rest_until`` is on this process's monotonic clock."""

    def __init__(self) -> None:
        self.memory = MemoryStore(options={"MAX_SIZE": MEMORY_BUCKETS})
        self._rest_until = 0.0

    def take(self, rule: Rule, identity: str) -> Verdict:
        if settings.REDIS_CACHE_URL and not rule.local and time.monotonic() >= self._rest_until:
            try:
                return _ask(_limiter(rule, _redis(settings.REDIS_CACHE_URL)), rule, identity)
            except StoreUnavailableError as error:
                self._rest_until = time.monotonic() + REDIS_REST_S
                logger.warning("limits are counted per process for %g s, Redis failed: %s", REDIS_REST_S, error.__cause__)
        return _ask(_limiter(rule, self.memory), rule, identity)

    def empty(self) -> None:
        """Forget what this process counted."""
        self.memory = MemoryStore(options={"MAX_SIZE": MEMORY_BUCKETS})
        self._rest_until = 0.0
        _limiter.cache_clear()


buckets = _Buckets()


def take(rule: Rule, identity: str) -> Verdict | None:
    """Take a token from this identity's bucket. ``None``: there is no such limit."""
    return buckets.take(rule, identity) if rule.requests else None


@lru_cache(maxsize=4)
def _redis(url: str) -> RedisStore:
    timeouts = {"socket_timeout": REDIS_TIMEOUT_S, "socket_connect_timeout": REDIS_TIMEOUT_S}
    return RedisStore(url, options={"CONNECTION_POOL_CLASS": "councils.caching.redis_gate.GatedPool", "CONNECTION_POOL_KWARGS": timeouts})


@lru_cache(maxsize=64)
def _limiter(rule: Rule, store: MemoryStore | RedisStore) -> Throttled:
    quota = per_duration(timedelta(seconds=rule.window_s), rule.requests, rule.burst)
    return Throttled(using="gcra", quota=quota, store=store)


def _ask(limiter: Throttled, rule: Rule, identity: str) -> Verdict:
    result = limiter.limit(f"{rule.name}:{identity}")
    state = result.state
    return Verdict(
        allowed=not result.limited,
        limit=rule.requests,
        remaining=int(state.remaining),
        reset_after_s=float(state.reset_after),
        retry_after_s=float(state.retry_after),
    )
