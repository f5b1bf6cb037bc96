"""Database settings from a URL, with the options that durability needs."""

from typing import Any

import dj_database_url

from council_site.env import EnvError

# WAL lets readers work beside the writer; FULL means a commit is on the disk when it returns; mapped memory would hide I/O errors.
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;"
SQLITE_BUSY_TIMEOUT_S = 20
SQLITE_OPTIONS: dict[str, Any] = {
    # A transaction that begins as a reader and then writes fails at once when another has written: begin as a writer.
    "transaction_mode": "IMMEDIATE",
    "timeout": SQLITE_BUSY_TIMEOUT_S,
    "init_command": SQLITE_PRAGMAS,
}
# A page that cannot have a connection for so long says that the database is away.
POOL_WAIT_S = 5
CONNECTION_LIFE_S = 1800
# The pool waits longer after each try that fails, up to so many seconds. Well below a lease, so that owners of runs show life again before
# they are taken for dead when a database comes back.
RECONNECT_S = 2
CONNECT_S = 5
# A machine that vanished without a word is noticed after this long, not after a quarter of an hour.
SILENCE_MS = 15_000
# Nobody waits longer for a row, so that one stuck process does not stop the others one by one.
LOCK_WAIT_MS = 30_000
# A process that is frozen inside a transaction loses it, and with it the locks: others may take its runs over.
IDLE_IN_TRANSACTION_MS = 30_000


def database(url: str, *, pool_size: int, statement_timeout_s: int = 0) -> dict[str, Any]:
    """Django's settings of the database at ``url``: ``sqlite:///path`` or ``postgres://user:password@host:port/name``.

    ``pool_size`` is the number of connections that one process may hold to PostgreSQL, ``statement_timeout_s`` how long one statement may
    take there, 0 for ever. What the URL's own query says wins.

    Raises ``EnvError`` for any other kind. The message leaves the URL out, since it may hold a password.
    """
    try:
        parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    except ValueError:
        parsed = {}
    engines = {
        "django.db.backends.sqlite3": SQLITE_OPTIONS,
        "django.db.backends.postgresql": _postgres_options(pool_size, statement_timeout_s),
    }
    options = engines.get(parsed.get("ENGINE", ""))
    if options is None:
        raise EnvError("DATABASE_URL is not usable. Use sqlite:///path/to/file or postgres://user:password@host:5432/name.")
    # A connection is tried before it is handed out: one that a restart of the server has broken is replaced, and nobody notices.
    return parsed | {"CONN_HEALTH_CHECKS": True, "OPTIONS": {**options, **parsed.get("OPTIONS", {})}}


def _postgres_options(pool_size: int, statement_timeout_s: int) -> dict[str, Any]:
    limits = {
        "statement_timeout": statement_timeout_s * 1000,
        "lock_timeout": LOCK_WAIT_MS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
    }
    pool = {"min_size": 1, "max_size": pool_size}
    return {
        "pool": pool | {"timeout": POOL_WAIT_S, "max_lifetime": CONNECTION_LIFE_S, "reconnect_timeout": RECONNECT_S},
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": SILENCE_MS,
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }
