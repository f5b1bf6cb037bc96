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
POOL_WAIT_S = 10


def database(url: str, *, pool_size: int) -> dict[str, Any]:
    """Django's settings of the database at ``url``: ``sqlite:///path`` or ``postgres://user:password@host:port/name``.

    ``pool_size`` is the number of connections that one process may hold to PostgreSQL.

    Raises ``EnvError`` for any other kind. The message leaves the URL out, since it may hold a password.
    """
    try:
        parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    except ValueError:
        parsed = {}
    engines = {
        "django.db.backends.sqlite3": SQLITE_OPTIONS,
        "django.db.backends.postgresql": {"pool": {"min_size": 1, "max_size": pool_size, "timeout": POOL_WAIT_S}},
    }
    options = engines.get(parsed.get("ENGINE", ""))
    if options is None:
        raise EnvError("DATABASE_URL is not usable. Use sqlite:///path/to/file or postgres://user:password@host:5432/name.")
    return parsed | {"OPTIONS": {**options, **parsed.get("OPTIONS", {})}}
