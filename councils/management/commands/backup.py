"""Write the whole database into one file, while the site runs."""

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from councils.management.backups import BackupFailed, dump

KEEP = (
    "Keep FIELD_ENCRYPTION_KEYS in another place: the keys of providers in this backup cannot be read without it.\n"
    "Sessions and hashes of passwords and API keys are in the backup: guard it like the database."
)


class Command(BaseCommand):
    help = "Write a backup of the database, consistent and without a pause. Settings and secrets of the environment are not in it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="Where to write it; - is standard output.")
        parser.add_argument("--yes", action="store_true", help="Write over a file that is there.")

    def handle(self, *args: Any, **options: Any) -> None:
        database = settings.DATABASES["default"]
        try:
            if options["file"] == "-":
                dump(database, sys.stdout.buffer)
            else:
                _dump_to(database, Path(options["file"]), overwrite=options["yes"])
        except BackupFailed as error:
            raise CommandError(f"There is no backup. {error}") from error
        self.stderr.write(KEEP)


def _dump_to(database: dict[str, Any], file: Path, *, overwrite: bool) -> None:
    """What stands at the file's name is always whole: a backup that fails leaves the old one there."""
    if file.exists() and not overwrite:
        raise CommandError(f"{file} is there already. Choose another name, or write over it with --yes.")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600, exist_ok=False)
        with part.open("r+b") as out:
            dump(database, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
