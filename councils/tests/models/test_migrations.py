"""The version before goes on while a new one migrates: its inserts name no new column, and its writes must not wait for an index."""

from collections.abc import Iterator

from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField, AddIndex, CreateModel
from django.db.models import NOT_PROVIDED

from councils.migrations._indexes import AddIndexWithoutBlocking

OLDEST = "0011"
"""What came before was never rolled out below an older version."""


def migrations() -> Iterator[Migration]:
    disk = MigrationLoader(None).disk_migrations
    return (migration for (app, name), migration in sorted(disk.items()) if app == "councils" and name >= OLDEST)


def test_every_new_column_may_be_left_out_of_an_insert() -> None:
    added = [op for migration in migrations() for op in migration.operations if isinstance(op, AddField) and not op.field.many_to_many]

    assert len(added) >= 5
    for op in added:
        assert op.field.null or op.field.db_default is not NOT_PROVIDED, f"{op.model_name}.{op.name}"


def test_no_index_on_a_table_that_is_there_makes_writers_wait() -> None:
    for migration in migrations():
        new = {op.name.lower() for op in migration.operations if isinstance(op, CreateModel)}
        indexes = [op for op in migration.operations if isinstance(op, AddIndex) and op.model_name.lower() not in new]
        assert all(isinstance(op, AddIndexWithoutBlocking) for op in indexes), migration.name
        assert not indexes or not migration.atomic, migration.name
