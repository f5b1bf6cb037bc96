"""``manage.py cleanup_expired_cache``: delete responses that are not good any more."""

from typing import Any

from django.core.management.base import BaseCommand

from councils.tasks import cleanup_expired_cache


class Command(BaseCommand):
    help = "Deletes cached responses that have expired, and counts of requests older than 30 days."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{cleanup_expired_cache()['deleted_count']} expired responses deleted.")
