"""``manage.py rotate_keys``: seal all stored secrets anew under the first key of FIELD_ENCRYPTION_KEYS, so that the others can go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from councils.acting import Acting, Door, acting
from councils.models.crypto import UnreadableSecret
from councils.services.rotating import rotate_keys


class Command(BaseCommand):
    help = "Seal stored provider keys under the first key of FIELD_ENCRYPTION_KEYS. Afterwards the older keys can be removed from it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with acting(Acting(Door.COMMAND, "rotate_keys")):
                done = rotate_keys()
        except UnreadableSecret as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(f"Sealed anew: the keys of {done.providers} providers and of {done.runs} runs under way.")
