"""Celery's scheduler as this site uses it: its rows belong to staff."""

from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class StaffScheduler(DatabaseScheduler):
    """The database's scheduler, except that a start of beat does not write over what staff have changed."""

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        """Enter the jobs that the schedule does not hold yet."""
        known = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: fields for name, fields in mapping.items() if name not in known})
