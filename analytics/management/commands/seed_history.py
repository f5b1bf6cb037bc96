"""``manage.py seed_history``: an invented past, to measure pages with and to look at charts that hold something."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from analytics.seeding.history import Historian
from analytics.seeding.world import make_world
from councils.models import CouncilRun


class Command(BaseCommand):
    help = "Writes an invented past of runs and calls. Only into a database without runs, or into the one that you name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--calls", type=int, default=10_000, help="About so many calls (default: %(default)s).")
        parser.add_argument("--runs", type=int, default=1_000, help="So many runs; a run has 7 to 15 calls (default: %(default)s).")
        parser.add_argument("--conversations", type=int, default=200, help="So many conversations (default: %(default)s).")
        parser.add_argument("--days", type=int, default=40, help="How far back it reaches (default: %(default)s).")
        parser.add_argument("--seed", type=int, default=1, help="The same seed makes the same past (default: %(default)s).")
        parser.add_argument("--database", default="", help="Name of the database to write into although it holds runs.")

    def handle(self, *args: Any, **options: Any) -> None:
        sizes = {name: options[name] for name in ("runs", "calls", "conversations", "days")}
        if min(sizes.values()) < 1 or sizes["conversations"] > sizes["runs"]:
            raise CommandError("Give positive numbers, and no more conversations than runs.")
        name = str(connection.settings_dict["NAME"])
        if options["database"] not in {"", name}:
            raise CommandError(f"This database is {name}, not {options['database']}. Nothing was written.")
        if not options["database"] and CouncilRun.objects.exists():
            raise CommandError(f"There are runs here already. If you mean it, add --database {name}. Nothing was written.")
        historian = Historian(make_world(), seed=options["seed"])
        for done in historian.write(until=timezone.now(), **sizes):
            if options["verbosity"] > 1:
                self.stdout.write(f"{done:,} of {sizes['runs']:,} runs")
        self.stdout.write(f"Wrote {sizes['runs']:,} runs with {historian.calls:,} calls. Sum them up: manage.py aggregate_model_analytics")
