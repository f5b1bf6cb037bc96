"""``manage.py aggregate_model_analytics``: bring the roll-ups up to date now."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime

from analytics.aggregation import aggregate, rebuild


class Command(BaseCommand):
    help = "Sums up by hour what models and councils did. Doing it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--since", help="Compute every hour from this day or time (UTC) on anew, for instance 2026-03-01.")
        which.add_argument(
            "--rebuild",
            action="store_true",
            help="Forget all hours and compute them anew. Hours whose conversations were deleted meanwhile do not come back.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ENABLE_ANALYTICS:
            raise CommandError("Analytics are switched off. Set ENABLE_ANALYTICS=true.")
        done = rebuild() if options["rebuild"] else aggregate(since=_moment(options["since"]))
        counts = f"{done.buckets} rows of models in {done.hours} hours, and {done.conversations} conversations"
        self.stdout.write(f"Computed {counts}.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:
        raise CommandError(f"{text} is not in the calendar.") from None
    if moment is None and day is not None:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise CommandError("Write a day as 2026-03-01, or a time as 2026-03-01T14:00.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
