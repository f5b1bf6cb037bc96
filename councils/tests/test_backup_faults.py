"""A backup that cannot be restored: people read the reason, not what PostgreSQL's tools said on the way."""

import io
from pathlib import Path

import pytest

from councils.management.backups import POSTGRES_HEAD, BackupFailed, load

DATABASE = {"ENGINE": "django.db.backends.postgresql", "NAME": "nowhere"}
NOTICE = 'echo "NOTICE:  drop cascades to table councils_run" >&2; '
READS_ALL = "cat > /dev/null; "
DAMAGED = "The backup is damaged or cut off: take another copy."


def have_tools(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.parametrize(
    ("pg_restore", "psql", "reason"),
    [
        ("echo 'could not read from input file: end of file' >&2; exit 1", READS_ALL + NOTICE, DAMAGED),
        ("echo 'unsupported version (1.99) in file header' >&2; exit 1", READS_ALL + NOTICE, "unsupported version (1.99) in file header"),
        (READS_ALL, READS_ALL + "echo 'ERROR:  lock timeout' >&2; exit 3", "ERROR:  lock timeout"),
    ],
)
def test_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pg_restore: str, psql: str, reason: str) -> None:
    have_tools(tmp_path, monkeypatch, pg_restore=pg_restore, psql=psql)

    with pytest.raises(BackupFailed) as refusal:
        load(DATABASE, io.BytesIO(POSTGRES_HEAD + b"rest"))

    assert str(refusal.value) == reason


def test_the_tools_ask_for_the_encryption_that_the_address_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = 'echo "ERROR:  $PGSSLMODE $PGSSLROOTCERT" >&2; exit 3'
    have_tools(tmp_path, monkeypatch, pg_restore=READS_ALL, psql=READS_ALL + says)
    options = {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "connect_timeout": 5}

    with pytest.raises(BackupFailed, match=r"verify-full /etc/ca\.pem"):
        load(DATABASE | {"OPTIONS": options}, io.BytesIO(POSTGRES_HEAD + b"rest"))
