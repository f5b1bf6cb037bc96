"""Make an API key for a user, for scripts that set a site up."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from councils.acting import Acting, Door, acting
from councils.models import User
from councils.services.keys import issue_key


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
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        with acting(Acting(Door.COMMAND, "create_api_key")):
            text = issue_key(user=user, name=options["name"], expires_at=expires_at)[1]
        self.stdout.write(text)
