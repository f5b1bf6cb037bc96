"""Who may move a run: claimed by compare-and-set, shown by a heartbeat, lost for good when the epoch moves on."""

from dataclasses import dataclass

from django.db.models import F

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.store.events import hold


class LostRun(Exception):
    """This run has ended or belongs to another worker now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to move a run: valid while the run's epoch is this one."""

    run_pk: int
    public_id: str
    epoch: int


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
