"""Indexes on tables that are written all the time."""

from typing import Any

from django.db.migrations.operations import AddIndex


class AddIndexWithoutBlocking(AddIndex):
    """An index that PostgreSQL builds while others write. Its migration says ``atomic = False``.

    What an interrupted build left behind is dropped first, so the migration can be run again. Other databases, and whoever migrates
    inside a transaction, get an ordinary index.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or connection.in_atomic_block:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)
            schema_editor.add_index(model, self.index, concurrently=True)
