"""Bring providers, models, prompts and councils to what a file says."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from councils.acting import Acting, Door, acting
from councils.services.configuration import ConfigurationRejected, apply_configuration, parse_document


class Command(BaseCommand):
    help = "Create or update providers, models, prompts and councils from a JSON file, all or nothing. See docs/configuration.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="The JSON file, or - for standard input.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would change and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        try:
            with acting(Acting(Door.COMMAND, "apply_config")):
                applied = apply_configuration(parse_document(_read(options["file"])), dry_run=dry_run)
        except ConfigurationRejected as error:
            raise CommandError("Nothing was changed:\n" + "\n".join(f"  {problem}" for problem in error.problems)) from error
        for change in applied.changes:
            self.stdout.write(change)
        if not applied.changes:
            self.stdout.write("Nothing to change.")
        elif dry_run:
            self.stdout.write("This was a dry run: nothing was changed.")


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from error
