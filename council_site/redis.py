"""The cache: Redis where there is one, else this process's memory."""

from typing import Any

TIMEOUT_S = 0.5
"""For connecting, and for each answer. Whoever asks a cache does without it when it is slow."""


def cache(url: str, *, name: str = "council", quiet: bool = True) -> dict[str, Any]:
    """A cache. In a ``quiet`` one a Redis that fails means "not cached", never an error; of the other the caller hears."""
    if not url:
        backend = "django.core.cache.backends.locmem.LocMemCache"
        return {"BACKEND": backend, "LOCATION": name, "OPTIONS": {"MAX_ENTRIES": 10_000}}
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": name,
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            # One pool for all caches at an address: they share these, and the gate that spares a request several time-outs in a row.
            "CONNECTION_POOL_CLASS": "councils.caching.redis_gate.GatedPool",
            "SERIALIZER": "councils.caching.redis_gate.PlainSerializer",
            "IGNORE_EXCEPTIONS": quiet,
            "SOCKET_CONNECT_TIMEOUT": TIMEOUT_S,
            "SOCKET_TIMEOUT": TIMEOUT_S,
        },
    }
