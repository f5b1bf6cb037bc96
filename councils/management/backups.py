"""The whole database as one stream of bytes, and back: SQLite's own copy, or ``pg_dump``'s custom format.

Both are consistent without a pause of the site. Putting one back is all or nothing: it takes the place of everything that is there.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

SQLITE_HEAD = b"SQLite format 3\x00"
POSTGRES_HEAD = b"PGDMP"
WAIT_S = 20
EMPTIED = b"""BEGIN;
SET lock_timeout = '10s';
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS public CASCADE;
CREATE SCHEMA public;
"""
# What tools newer than the server say first, and an older server does not know.
UNKNOWN_TO_OLDER = b"SET transaction_timeout = 0;"
NEWER_FORMAT = b"unsupported version"


class BackupFailed(Exception):
    """The message says what went wrong. The database is as it was."""


def dump(database: Mapping[str, Any], out: BinaryIO) -> None:
    """Write a backup of the database with these Django settings. Raises ``BackupFailed``; then what was written is worth nothing."""
    if _is_sqlite(database):
        with tempfile.TemporaryDirectory(prefix="council-backup-") as folder:
            copy = Path(folder, "copy.sqlite3")
            _copy_sqlite(Path(database["NAME"]), copy)
            with copy.open("rb") as written:
                shutil.copyfileobj(written, out)
        return
    command = [_tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"]
    done = subprocess.run(command, env=_environment(database), stdout=out, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise BackupFailed(_last_lines(done.stderr))


def load(database: Mapping[str, Any], source: BinaryIO) -> None:
    """Put a backup in the place of everything in the database. Nobody else may be using it. Raises ``BackupFailed``."""
    head = source.read(max(len(SQLITE_HEAD), len(POSTGRES_HEAD)))
    wanted, name = (SQLITE_HEAD, "SQLite") if _is_sqlite(database) else (POSTGRES_HEAD, "PostgreSQL")
    if not head.startswith(wanted):
        raise BackupFailed(f"This is not a backup of a {name} database.")
    if _is_sqlite(database):
        _load_sqlite(Path(database["NAME"]), head, source)
    else:
        _load_postgres(database, head, source)


def _is_sqlite(database: Mapping[str, Any]) -> bool:
    return "sqlite" in str(database["ENGINE"])


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database that may be in use, page by page, and see that the copy is whole."""
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=WAIT_S)) as read,
            contextlib.closing(sqlite3.connect(target, timeout=WAIT_S)) as write,
        ):
            _demand_whole(read)
            read.backup(write)
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite: {error}.") from error


def _demand_whole(database: sqlite3.Connection) -> None:
    found = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise BackupFailed(f"The database is damaged: {'; '.join(found)}")


def _load_sqlite(target: Path, head: bytes, source: BinaryIO) -> None:
    with tempfile.TemporaryDirectory(prefix="council-restore-") as folder:
        copy = Path(folder, "copy.sqlite3")
        with copy.open("wb") as written:
            written.write(head)
            shutil.copyfileobj(source, written)
        _copy_sqlite(copy, target)


def _load_postgres(database: Mapping[str, Any], head: bytes, source: BinaryIO) -> None:
    """Turn the backup into SQL and run that in one transaction, which is only committed after all of it was read."""
    unpack = [_tool("pg_restore"), "--file=-", "--no-owner", "--no-privileges"]
    run = [_tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with tempfile.TemporaryFile() as faults, tempfile.TemporaryFile() as flaws:
        with (
            subprocess.Popen(run, env=_environment(database), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=faults) as psql,
            subprocess.Popen(unpack, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=flaws) as script,
        ):
            feeder = threading.Thread(target=_feed, args=(head, source, script), daemon=True)
            feeder.start()
            whole = _hand_over(script, psql)
            feeder.join()
        if not whole or psql.returncode:
            raise BackupFailed(_reason(script.returncode, flaws, faults))


def _reason(code: int, flaws: IO[bytes], faults: IO[bytes]) -> str:
    """Why nothing was restored: ``flaws`` is what pg_restore said, which ended with this code, ``faults`` what psql said.

    A reader that was stopped because the database refused has no code of its own (it is below zero): then the database says why.
    """
    for said in (flaws, faults):
        said.seek(0)
    flaw, fault = flaws.read(), faults.read()
    if code > 0 and NEWER_FORMAT not in flaw:
        return "The backup is damaged or cut off: take another copy."
    return _last_lines(flaw if code > 0 else fault) or "The backup cannot be read."


def _feed(head: bytes, source: BinaryIO, script: subprocess.Popen[bytes]) -> None:
    """A reader that has given up says why on its standard error."""
    with contextlib.suppress(BrokenPipeError), _pipe(script.stdin) as packed:
        packed.write(head)
        shutil.copyfileobj(source, packed)


def _hand_over(script: subprocess.Popen[bytes], psql: subprocess.Popen[bytes]) -> bool:
    """Run the script's SQL. Whether it came to its end and was committed."""
    whole = False
    with contextlib.suppress(BrokenPipeError), _pipe(psql.stdin) as run:
        run.write(EMPTIED)
        for line in _pipe(script.stdout):
            # Rows of tables come after the head, and are nobody's to change.
            if line.rstrip() == UNKNOWN_TO_OLDER:
                continue
            run.write(line)
            if line.startswith(b"COPY "):
                break
        shutil.copyfileobj(_pipe(script.stdout), run)
        whole = script.wait() == 0
        if whole:
            run.write(b"\nCOMMIT;\n")
    script.kill()
    return whole


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("started without a pipe")
    return pipe


def _environment(database: Mapping[str, Any]) -> dict[str, str]:
    """How PostgreSQL's tools find the database. A password on a command line could be read by everybody on the machine."""
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    options = {"PGSSLMODE": "sslmode", "PGSSLROOTCERT": "sslrootcert"}
    given = {variable: database.get(key) for variable, key in names.items()}
    given |= {variable: database.get("OPTIONS", {}).get(key) for variable, key in options.items()}
    return os.environ | {variable: str(value) for variable, value in given.items() if value}


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupFailed(f"{name} is needed and not installed. On Debian: apt-get install postgresql-client")
    return found


def _last_lines(text: bytes) -> str:
    return "\n".join(text.decode(errors="replace").strip().splitlines()[-5:])
