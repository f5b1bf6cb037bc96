"""System checks: what must hold before the site may start, each with an id.

========= =====================================================================
councils.E001 SQLite's library is too old to be safe with WAL
councils.E002 SQLite is not set up for durable, concurrent writing
councils.E003 no strict content security policy
councils.E004 sockets do not check the origin of the page
councils.E005 a key of ``FIELD_ENCRYPTION_KEYS`` is not usable
councils.E006 the number of proxies and the trust in their headers disagree
councils.E007 the broker's Redis may evict queued tasks (deployment check)
councils.E008 a lease so short that a living owner loses its runs
councils.E009 ``PRIVATE_PROVIDER_HOSTS`` holds something other than host:port
councils.W001 the broker's Redis did not answer (deployment check)
councils.W002 pages are sent to https, and nobody can come by it (deployment check)
councils.W003 several processes would share a SQLite file (deployment check)
councils.W004 a worker's figures are open to whoever reaches its port (deployment check)
========= =====================================================================
"""

import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import redis
from channels.routing import ProtocolTypeRouter
from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db import connections
from django.utils.module_loading import import_string
from redis.backoff import NoBackoff
from redis.retry import Retry

from councils.origins import OriginValidator

logger = logging.getLogger(__name__)

SAFE_SQLITE = (3, 51, 3)
CSP_MIDDLEWARE = "ContentSecurityPolicyMiddleware"
LOOSE_SOURCES = {"*", "'unsafe-inline'", "'unsafe-eval'", "http:", "https:", "data:"}
REDIS_TIMEOUT_S = 2.0
BEATS_IN_A_LEASE = 3
THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):\d{1,5}")


def register() -> None:
    """Make Django run these checks. Those of SQLite and Redis connect, so they run where Django is asked for it."""
    checks.register(check_sqlite, checks.Tags.database)
    checks.register(check_content_security_policy, checks.Tags.security)
    checks.register(check_socket_origins, checks.Tags.security)
    checks.register(check_key_ring, checks.Tags.security)
    checks.register(check_proxies, checks.Tags.security)
    checks.register(check_lease)
    checks.register(check_private_hosts, checks.Tags.security)
    checks.register(check_redis_policy, checks.Tags.security, deploy=True)
    checks.register(check_https, checks.Tags.security, deploy=True)
    checks.register(check_shared_sqlite, deploy=True)
    checks.register(check_worker_figures, checks.Tags.security, deploy=True)


def check_sqlite(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The library's version, and the pragmas as they are in force on a connection (``check --database``, ``migrate``)."""
    return [message for alias in databases or () for message in _sqlite_faults(alias)]


def _sqlite_faults(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        version = cursor.execute("SELECT sqlite_version()").fetchone()[0]
        rows = {name: cursor.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous", "mmap_size")}
    if tuple(int(part) for part in version.split(".")) < SAFE_SQLITE:
        yield checks.Error(
            f"SQLite {version} can corrupt a database in WAL mode.",
            hint="Install pysqlite3, which brings a newer one: pip install -r requirements.txt",
            id="councils.E001",
        )
    in_force = {name: row[0] if row else 0 for name, row in rows.items()}
    faults = [*_pragma_faults(in_force), *_option_faults(connection.settings_dict.get("OPTIONS", {}))]
    if faults:
        yield checks.Error(
            f"SQLite is not set up for durable, concurrent writing: {', '.join(faults)}.",
            hint="Take the options from council_site/databases.py.",
            id="councils.E002",
        )


def _pragma_faults(in_force: Mapping[str, Any]) -> Iterator[str]:
    if in_force["journal_mode"] not in {"wal", "memory"}:
        yield "journal_mode is not WAL"
    if in_force["synchronous"] < 2:
        yield "synchronous is below FULL"
    if in_force["mmap_size"]:
        yield "mmap_size is not 0"


def _option_faults(options: Mapping[str, Any]) -> Iterator[str]:
    if options.get("transaction_mode") != "IMMEDIATE":
        yield "transaction_mode is not IMMEDIATE"
    if options.get("timeout", 0) < 20:
        yield "timeout is below 20 s"


def check_content_security_policy(**_: Any) -> list[CheckMessage]:
    """A policy is sent, and its scripts come from this site alone."""
    directives = (getattr(settings, "CONTENT_SECURITY_POLICY", None) or {}).get("DIRECTIVES", {})
    scripts = directives.get("script-src") or directives.get("default-src") or ["*"]
    faults = [
        *(["its middleware is not installed"] if not any(name.endswith(CSP_MIDDLEWARE) for name in settings.MIDDLEWARE) else []),
        *(["script-src is loose"] if LOOSE_SOURCES & set(scripts) else []),
        *(["frame-ancestors is missing"] if not directives.get("frame-ancestors") else []),
    ]
    if not faults:
        return []
    return [
        checks.Error(
            f"The content security policy does not protect: {', '.join(faults)}.",
            hint="Restore CONTENT_SECURITY_POLICY and MIDDLEWARE of council_site/settings.py.",
            id="councils.E003",
        )
    ]


def check_socket_origins(**_: Any) -> list[CheckMessage]:
    """The sockets of the ASGI application are behind our origin check."""
    application = import_string(settings.ASGI_APPLICATION)
    sockets = application.application_mapping.get("websocket") if isinstance(application, ProtocolTypeRouter) else None
    if isinstance(sockets, OriginValidator):
        return []
    return [
        checks.Error(
            "Any page on the web may open a socket with a visitor's session.",
            hint="Wrap the websocket application in councils.origins.OriginValidator.",
            id="councils.E004",
        )
    ]


def check_key_ring(**_: Any) -> list[CheckMessage]:
    """There is a key, and every one is a Fernet key. The message says which by its place, never the key."""
    if not settings.FIELD_ENCRYPTION_KEYS:
        return [_key_fault("FIELD_ENCRYPTION_KEYS is empty: the keys of providers cannot be stored.")]
    bad = [str(place) for place, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1) if not _is_fernet_key(key)]
    return [_key_fault(f"FIELD_ENCRYPTION_KEYS holds something that is no key at place {', '.join(bad)}.")] if bad else []


def _key_fault(message: str) -> CheckMessage:
    hint = 'Make a key with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
    return checks.Error(message, hint=hint, id="councils.E005")


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def check_proxies(**_: Any) -> list[CheckMessage]:
    """Headers of a proxy are believed exactly if there is one."""
    trusted = bool(settings.SECURE_PROXY_SSL_HEADER or settings.USE_X_FORWARDED_HOST or settings.USE_X_FORWARDED_PORT)
    if not trusted or settings.TRUSTED_PROXY_COUNT > 0:
        return []
    return [
        checks.Error(
            "Headers of a proxy are trusted, but TRUSTED_PROXY_COUNT is 0: any visitor can forge them.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies in front of the site.",
            id="councils.E006",
        )
    ]


def check_lease(**_: Any) -> list[CheckMessage]:
    """An owner must be able to miss a heartbeat without losing its runs."""
    if settings.RUN_LEASE_TTL_S >= BEATS_IN_A_LEASE * settings.RUN_HEARTBEAT_S:
        return []
    message = f"RUN_LEASE_TTL_S={settings.RUN_LEASE_TTL_S:g} is less than {BEATS_IN_A_LEASE} heartbeats of {settings.RUN_HEARTBEAT_S:g} s."
    hint = "Runs would change hands while their owners live. Raise RUN_LEASE_TTL_S or lower RUN_HEARTBEAT_S."
    return [checks.Error(message, hint=hint, id="councils.E008")]


def check_private_hosts(**_: Any) -> list[CheckMessage]:
    """An entry without a port would allow nothing, silently."""
    wrong = [entry for entry in settings.PRIVATE_PROVIDER_HOSTS if not HOST_AND_PORT.fullmatch(entry)]
    if not wrong:
        return []
    message = f"PRIVATE_PROVIDER_HOSTS holds {', '.join(wrong)}."
    return [checks.Error(message, hint="Write host:port, for instance 10.0.0.5:11434 or [fd00::5]:8080.", id="councils.E009")]


def check_redis_policy(**_: Any) -> list[CheckMessage]:
    """The broker's Redis never evicts: any other policy loses queued tasks without a word."""
    if not settings.REDIS_URL:
        return []
    # Asked once: by itself the library tries four times, with pauses.
    once = Retry(NoBackoff(), 0)
    try:
        with closing(
            redis.Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, retry=once)
        ) as client:
            policy = client.info("memory").get("maxmemory_policy", "unknown")
    except redis.RedisError as error:
        return [checks.Warning(f"Redis did not answer, so its policy is not known ({type(error).__name__}).", id="councils.W001")]
    if policy == "noeviction":
        return []
    return [
        checks.Error(
            f"Redis at REDIS_URL evicts when it is full ({policy}): queued tasks would vanish.",
            hint="Start it with --maxmemory-policy noeviction, and give the cache its own Redis (REDIS_CACHE_URL).",
            id="councils.E007",
        )
    ]


def tell_redis_policy() -> threading.Thread:
    """Log what is wrong with the broker's Redis, for processes that start. Nothing waits for it: one that is away is no reason not to."""
    telling = threading.Thread(target=_log_redis_policy, name="redis-policy", daemon=True)
    telling.start()
    return telling


def _log_redis_policy() -> None:
    for message in check_redis_policy():
        logger.log(message.level, "%s: %s%s", message.id, message.msg, f" {message.hint}" if message.hint else "")


def check_https(**_: Any) -> list[CheckMessage]:
    """The site speaks no TLS itself: without a proxy whose word counts, each redirect to https would lead to the next."""
    if not settings.SECURE_SSL_REDIRECT or settings.SECURE_PROXY_SSL_HEADER:
        return []
    message = "Every page is sent to https, but no proxy is trusted to say that a visitor came by it: they would be sent round for ever."
    hint = "Put a proxy in front that speaks https (deploy/proxy), and set TRUSTED_PROXY_COUNT."
    return [checks.Warning(message, hint=hint, id="councils.W002")]


def check_shared_sqlite(**_: Any) -> list[CheckMessage]:
    """Workers are for several machines, a SQLite file for one."""
    if settings.RUN_ENGINE != "celery" or "sqlite" not in str(connections.settings["default"]["ENGINE"]):
        return []
    message = "Celery workers would share one SQLite file: they could not run on other machines."
    hint = "Set DATABASE_URL to a PostgreSQL database, or RUN_ENGINE=embedded."
    return [checks.Warning(message, hint=hint, id="councils.W003")]


def check_worker_figures(**_: Any) -> list[CheckMessage]:
    """The port of a worker asks for a token where there is one, and for nothing else."""
    if not settings.ENABLE_METRICS or not settings.METRICS_PORT or settings.METRICS_TOKEN or settings.METRICS_BIND_ADDRESS in THIS_MACHINE:
        return []
    message = f"Whoever reaches {settings.METRICS_BIND_ADDRESS}:{settings.METRICS_PORT} may read the figures of a worker."
    return [checks.Warning(message, hint="Set METRICS_TOKEN, long and random.", id="councils.W004")]
