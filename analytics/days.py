"""Days, UTC."""

from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)


def midnight_of(day: date) -> datetime:
    """When it begins."""
    return datetime.combine(day, time.min, UTC)
