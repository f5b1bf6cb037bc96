"""Channel layer and cache: Redis where there is one, else this process's memory."""

from typing import Any

CONNECT_TIMEOUT_S = 2
REPLY_TIMEOUT_S = 5


def channel_layer(url: str) -> dict[str, Any]:
    """The layer that tells viewers in other processes to look."""
    if not url:
        return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    host = {
        "address": url,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        # A subscription is silent for as long as nothing happens: a reply timeout (5 s by default in redis-py 8) would drop it.
        "socket_timeout": None,
        "socket_keepalive": True,
    }
    return {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [host]}}


def cache(url: str) -> dict[str, Any]:
    """The cache. A Redis that fails means "not cached", never an error."""
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "council",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "IGNORE_EXCEPTIONS": True,
            "LOG_IGNORED_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": CONNECT_TIMEOUT_S,
            "SOCKET_TIMEOUT": REPLY_TIMEOUT_S,
        },
    }
