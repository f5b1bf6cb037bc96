"""Write providers, models, prompts and councils as a file that ``apply_config`` takes back."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from councils.services.configuration import dump_configuration


class Command(BaseCommand):
    help = "Write the configuration as JSON, without secrets. apply_config takes it back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", metavar="FILE", help="Write to this file instead of standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        text = json.dumps(dump_configuration(), indent=2, ensure_ascii=False) + "\n"
        if options["output"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["output"]).write_text(text, "utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error}") from error
