"""Runs that came back with a backup.

The backup knows nothing of what happened after it was made: calls that a provider has answered and charged since are not in it. So no
engine takes such runs up by itself. Staff see them, and either let them go on, which may pay for some calls again, or give them up.
"""

import logging
from functools import partial

from django.db import transaction

from councils import tasks
from councils.models import CouncilRun, User
from councils.services.asking import cancel_run
from councils.store.holding import hold_all, let_go

logger = logging.getLogger(__name__)


def hold_live_runs() -> int:
    """Hold all runs that have not ended; how many are held now. Doing it again changes nothing.

    For a database that was just restored, before anything of the site is started on it.
    """
    return hold_all()


@transaction.atomic
def continue_run(*, run: CouncilRun, by: User) -> bool:
    """Let a held run go on from what it has. Calls that were under way are made, and paid, again. ``False``: it is not held."""
    if not let_go(run.pk):
        return False
    logger.info("held run goes on", extra={"run": run.public_id, "by": by.pk})
    transaction.on_commit(partial(tasks.start, run.pk))
    return True


def give_up_run(*, run: CouncilRun, by: User) -> bool:
    """End a held run as cancelled; what it has paid stays booked. ``False``: it is not held."""
    return CouncilRun.objects.held().filter(pk=run.pk).exists() and cancel_run(run=run, by=by)
