"""Make an API key for a user, for scripts that set a site up."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from councils.models import ApiKey, User


class Command(BaseCommand):
    help = "Create an API key and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="What uses the key.")
        parser.add_argument("--days", type=int, help="Days until it expires. Left out: never.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['username']}.")
        days = options["days"]
        if days is not None and days < 1:
            raise CommandError("Give a whole number of days, 1 or more.")
        key, text = ApiKey.issue(user=user, name=options["name"])
        if days is not None:
            key.expires_at = timezone.now() + timedelta(days=days)
            key.save(update_fields=["expires_at"])
        self.stdout.write(text)
