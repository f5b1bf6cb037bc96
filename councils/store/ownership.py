"""Who may move a run: claimed by compare-and-set, shown by a heartbeat, lost for good when the epoch moves on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Case, F, QuerySet, When

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.store.budgets import Hold, lock
from councils.store.events import hold
from councils.store.moments import moment


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


@dataclass(frozen=True, slots=True)
class Life:
    """That the owner of a run lives, and how long the run has taken so far."""

    claim: Claim
    elapsed_ms: int


@moment
def show_life(lives: Sequence[Life]) -> list[int]:
    """Show that the owner of these runs lives. Returns the numbers of those that are not its own any more.

    All in two statements: a process drives hundreds of runs, and one that had to show life for each alone could be too busy to be seen
    alive. A run that somebody else moves at this moment is not waited for, or the others would seem dead meanwhile: it is next time.
    """
    told = {life.claim.run_pk: life for life in lives}
    rows = CouncilRun.objects.filter(pk__in=told).order_by("pk")
    found = _stands(rows.select_for_update(skip_locked=True, no_key=True))
    mine = [life for pk, life in told.items() if found.get(pk) == _owned_by(life.claim)]
    if mine:
        elapsed = Case(*(When(pk=life.claim.run_pk, then=life.elapsed_ms) for life in mine))
        CouncilRun.objects.filter(pk__in=[life.claim.run_pk for life in mine]).update(heartbeat=F("heartbeat") + 1, elapsed_ms=elapsed)
    if busy := told.keys() - found.keys():
        found |= _stands(rows.filter(pk__in=busy))
    return [pk for pk, life in told.items() if found.get(pk) != _owned_by(life.claim)]


def _stands(rows: QuerySet[CouncilRun]) -> dict[int, tuple[int, str]]:
    """Epoch and status of runs by their numbers."""
    return {pk: (epoch, status) for pk, epoch, status in rows.values_list("pk", "epoch", "status")}


def _owned_by(claim: Claim) -> tuple[int, str]:
    """Epoch and status of a run while this claim holds."""
    return claim.epoch, RunStatus.RUNNING.value


def drop(claim: Claim) -> None:
    """Give the run back after a fault of ours. It counts like a death: the third without progress ends the run."""
    mine = CouncilRun.objects.filter(pk=claim.run_pk, epoch=claim.epoch, status=RunStatus.RUNNING.value)
    mine.update(worker="", barren_deaths=F("barren_deaths") + 1)


def release(claim: Claim, *, elapsed_ms: int) -> None:
    """Give the run back, for instance on SIGTERM: anybody may claim it at once."""
    CouncilRun.objects.filter(pk=claim.run_pk, epoch=claim.epoch).update(worker="", elapsed_ms=elapsed_ms)
