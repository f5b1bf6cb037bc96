"""A restore that fails after the backup is in its place: no run in flight may be paid for again."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.store.claims import live_runs
from councils.tests.factories import make_run

RESTORE = "councils.management.commands.restore"

pytestmark = pytest.mark.django_db


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file; what it would put in the place of the database is in the database: one run in flight."""
    run = make_run()
    CouncilRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING.value, worker="old:1")
    monkeypatch.setattr(f"{RESTORE}._let_go_of_connections", lambda: None)
    monkeypatch.setattr(f"{RESTORE}.load", lambda database, source: None)
    file = tmp_path / "site.backup"
    file.touch()
    return str(file)


def fail(*_args: object, **_options: object) -> None:
    raise RuntimeError("The disk is full.")


def test_runs_of_a_backup_from_a_newer_version_are_held_although_it_is_refused(backup: str) -> None:
    MigrationRecorder(connection).record_applied("councils", "9999_newer")

    with pytest.raises(CommandError, match="newer version"):
        call_command("restore", backup, "--yes")

    assert (live_runs(), CouncilRun.objects.held().count()) == ([], 1)


def test_runs_are_held_although_the_tables_cannot_be_brought_up_to_date(backup: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{RESTORE}.call_command", fail)

    with pytest.raises(RuntimeError, match="disk is full"):
        call_command("restore", backup, "--yes")

    assert live_runs() == []


def test_where_tables_are_too_old_to_hold_runs_a_failure_says_so(backup: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{RESTORE}._can_hold", lambda: False)
    monkeypatch.setattr(f"{RESTORE}.call_command", fail)

    with pytest.raises(CommandError, match=r"The disk is full\. The runs that were in flight are not held"):
        call_command("restore", backup, "--yes")


def test_runs_of_an_old_backup_are_held_once_its_tables_let_them_be(backup: str, monkeypatch: pytest.MonkeyPatch) -> None:
    can_hold = iter([False, True])
    monkeypatch.setattr(f"{RESTORE}._can_hold", lambda: next(can_hold))
    monkeypatch.setattr(f"{RESTORE}.call_command", fail)

    with pytest.raises(RuntimeError, match="disk is full"):
        call_command("restore", backup, "--yes")

    assert live_runs() == []
