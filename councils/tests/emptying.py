"""Between tests that commit: the tables are emptied of the rows that are there.

Django's own way truncates every table and writes all content types and permissions anew. That takes PostgreSQL up to a second for a
handful of rows, and nobody may even read meanwhile.
"""

import time

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import OperationalError, connection

# What Django makes of the models when it migrates. No test writes there, and every foreign key to them points from a table that is emptied.
KEPT = {ContentType._meta.db_table, Permission._meta.db_table}
TRIES = 5


def empty_tables() -> None:
    """Delete all rows but those that belong to the models themselves.

    A server of a test may still end a request meanwhile: PostgreSQL may break one of the two off. Then once more.
    """
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    statements = _statements(sorted(tables))
    for _ in range(TRIES - 1):
        try:
            return connection.ops.execute_sql_flush(statements)
        except OperationalError:
            time.sleep(0.3)
    return connection.ops.execute_sql_flush(statements)


def _statements(tables: list[str]) -> list[str]:
    if connection.vendor != "postgresql":
        return connection.ops.sql_flush(no_style(), tables)
    quoted = [connection.ops.quote_name(table) for table in tables]
    # Whoever still writes is waited for, as a TRUNCATE would: what they write must not outlive this.
    waiting = f"LOCK TABLE {', '.join(quoted)} IN SHARE ROW EXCLUSIVE MODE"
    return ["; ".join([waiting, *(f"DELETE FROM {table}" for table in quoted)])]
