"""Put a backup in the place of the database."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresConnection
from django.db.migrations.loader import MigrationLoader

from councils.management.backups import BackupFailed, load
from councils.models import CouncilRun
from councils.services.holding import hold_live_runs
from councils.services.restoring import settle_after_restore

NOT_HELD = (
    "The runs that were in flight are not held: this backup is older than that. Start nothing of the site before `restore` has come to "
    "its end, or providers may be paid for them again."
)


class Command(BaseCommand):
    help = (
        "Put a backup in the place of the database, bring its tables up to date, and hold the runs that were in flight until staff decide. "
        "Stop everything else of the site first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="A file that `backup` wrote; - is standard input.")
        parser.add_argument("--yes", action="store_true", help="Everything that is in the database now may go.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"] and connection.introspection.table_names():
            raise CommandError("The database is not empty. Everything in it would be replaced: say so with --yes.")
        _let_go_of_connections()
        try:
            if options["file"] == "-":
                load(settings.DATABASES["default"], sys.stdin.buffer)
            else:
                with Path(options["file"]).open("rb") as source:
                    load(settings.DATABASES["default"], source)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except BackupFailed as error:
            raise CommandError(f"Nothing was restored, the database is as it was. {error}") from error
        _update_tables()
        self._report()

    def _report(self) -> None:
        restored = settle_after_restore()
        self.stdout.write("Restored.")
        if restored.held:
            self.stdout.write(f"{restored.held} runs were in flight and wait for staff: Runs in the admin, filter 'held after a restore'.")
        if restored.unreadable:
            names = ", ".join(restored.unreadable)
            self.stderr.write(f"FIELD_ENCRYPTION_KEYS does not fit the keys of: {names}. Set the ring that belongs to this backup.")


def _let_go_of_connections() -> None:
    """Its own would be in the way."""
    connections.close_all()
    if isinstance(default := connections["default"], PostgresConnection):
        default.close_pool()


def _update_tables() -> None:
    """Bring the tables up to date, with the runs in flight held before anything can fail: whatever starts then must not pay for them again.

    A backup from before runs could be held has them held as soon as its tables let them be. Raises ``CommandError``, which says so where
    they never did.
    """
    is_held = _hold()
    try:
        _refuse_newer()
        call_command("migrate", interactive=False, verbosity=0)
    except Exception as error:
        if is_held or _hold():
            raise
        raise CommandError(f"{error} {NOT_HELD}") from error


def _hold() -> bool:
    """Hold the runs in flight. ``False``: the tables are too old for that."""
    if not _can_hold():
        return False
    hold_live_runs()
    return True


def _can_hold() -> bool:
    table = CouncilRun._meta.db_table
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return False
        return any(column.name == "held" for column in connection.introspection.get_table_description(cursor, table))


def _refuse_newer() -> None:
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations or ())
    newer = sorted(f"{app}.{name}" for app, name in loader.applied_migrations if app in loader.migrated_apps and (app, name) not in known)
    if newer:
        raise CommandError(f"The backup is restored, but a newer version of this software made it ({newer[-1]}). Start that version.")
