"""Writing one row only when it says something new."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from councils.services.configuration.reading import Entry

Log = list[str]


def save_row(
    row: models.Model,
    values: dict[str, Any],
    entry: Entry,
    *,
    what: str,
    log: Log,
    unchecked: tuple[str, ...] = (),
    store: bool = True,
) -> bool:
    """Save what differs, after the model's own validation. Where the row is invalid, nothing is saved and complaints go to the entry.

    Returns whether the database holds the row as it was described.

    ``unchecked`` names columns whose constraints are settled elsewhere. ``store`` false only validates: something else is missing.
    """
    # A new row may have no value at all yet: reading an empty reference raises.
    changed = [name for name, value in values.items() if row.pk is None or getattr(row, name) != value]
    if row.pk is not None and not changed:
        return True
    for name in changed:
        setattr(row, name, values[name])
    try:
        row.full_clean(exclude=unchecked)
    except ValidationError as error:
        entry.blame_all(error)
        return False
    if not store:
        return False
    log.append(f"updated {what}: {', '.join(changed)}" if row.pk is not None else f"created {what}")
    row.save()
    return True
