"""Changes of configuration, one after the other: two at once would take the same free name, version or default."""

from django.db import connection

# Any number will do that nothing else in this database locks by.
CONFIGURATION = 0x436F756E63696C


def take_turn() -> None:
    """Wait until nobody else changes configuration; the turn ends with the transaction. Needs one. What is read afterwards is true.

    Take it before locks of rows, or two may wait for each other. SQLite lets one transaction write at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CONFIGURATION])
