"""Who may move a run: claimed by compare-and-set, shown by a heartbeat, lost for good when the epoch moves on."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import F

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.store.budgets import Hold, lock
from councils.store.events import hold


class LostRun(Exception):
    """This run has ended or belongs to another worker now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to move a run: valid while the run's epoch is this one. ``holds`` are the budgets that pay for it, in order."""

    run_pk: int
    public_id: str
    epoch: int
    holds: tuple[Hold, ...] = ()

    def lock_accounts(self) -> None:
        """Lock the accounts that the run counts against, before the run itself."""
        lock(hold.account for hold in self.holds)


def lock_runs(run_pks: Iterable[int]) -> None:
    """Lock these runs until the transaction ends, in the order of their numbers. Who moves several in one commit does so first."""
    wanted = set(run_pks)
    if len(wanted) > 1 and connection.features.has_select_for_update:
        list(CouncilRun.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk"))


def own(claim: Claim) -> CouncilRun:
    run = hold(claim.run_pk)
    if not is_owner(run, claim):
        raise LostRun(LostRun.__doc__)
    return run


def is_owner(run: CouncilRun, claim: Claim) -> bool:
    return run.epoch == claim.epoch and run.status == RunStatus.RUNNING.value


def heartbeat(claim: Claim, *, elapsed_ms: int) -> bool:
    """Show that the owner lives. ``False``: the run is not ours any more."""
    mine = CouncilRun.objects.filter(pk=claim.run_pk, epoch=claim.epoch, status=RunStatus.RUNNING.value)
    return mine.update(heartbeat=F("heartbeat") + 1, elapsed_ms=elapsed_ms) == 1


def drop(claim: Claim) -> None:
    """Give the run back after a fault of ours. It counts like a death: the third without progress ends the run."""
    mine = CouncilRun.objects.filter(pk=claim.run_pk, epoch=claim.epoch, status=RunStatus.RUNNING.value)
    mine.update(worker="", barren_deaths=F("barren_deaths") + 1)


def release(claim: Claim, *, elapsed_ms: int) -> None:
    """Give the run back, for instance on SIGTERM: anybody may claim it at once."""
    CouncilRun.objects.filter(pk=claim.run_pk, epoch=claim.epoch).update(worker="", elapsed_ms=elapsed_ms)
