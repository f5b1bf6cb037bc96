"""Keeping runs from all engines until staff decide."""

from django.db import transaction
from django.db.models import F

from councils.models import CouncilRun

OWNERS_SINCE = 1_000
"""How far the epoch is moved on: whoever came to own the run after the backup was made must find it lost, if they still live."""


@transaction.atomic
def hold_all() -> int:
    """Take all runs that have not ended from their owners and let none go on by itself. Returns how many are held now."""
    CouncilRun.objects.live().filter(held=False).update(held=True, worker="", epoch=F("epoch") + OWNERS_SINCE)
    return CouncilRun.objects.held().count()


def let_go(run_pk: int) -> bool:
    """Whoever comes may claim it now. ``False``: it was not held."""
    return CouncilRun.objects.held().filter(pk=run_pk).update(held=False) == 1
