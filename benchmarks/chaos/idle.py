"""How long runs lie idle after their owner has died, or was told to stop. All times are of this one machine's clock."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.audit import Audit
from benchmarks.chaos.crowd import quantile
from councils.engine.events import EventType
from councils.models import CouncilRun, RunEvent


@dataclass(slots=True)
class Idle:
    """``within_s`` is how soon somebody else must have a run, where a worker lives that long; ``ready_s`` what a worker needs to start."""

    within_s: float
    ready_s: float
    lost: list[tuple[int, float]] = field(default_factory=list)
    lives: list[tuple[float, float]] = field(default_factory=list)
    _began: dict[str, float] = field(default_factory=dict)

    def begins(self, worker: str) -> None:
        """A process begins to be this worker."""
        self._began[worker] = time.time()

    def loses(self, owner: str) -> None:
        """Note the runs of this owner: it is dead, or will be told to stop now."""
        running = CouncilRun.objects.filter(worker=owner, status="running").values_list("pk", flat=True)
        now = time.time()
        self.lost += [(pk, now) for pk in running]

    def ends(self, worker: str) -> None:
        """Its process does not look for runs any more."""
        self.lives.append((self._began.pop(worker) + self.ready_s, time.time()))

    def report(self, found: Audit) -> None:
        """Add counts and milliseconds to the audit, and as problems runs that lay idle for too long."""
        for worker in list(self._began):
            self.ends(worker)
        waits = [(pk, at, wait) for pk, at in self.lost if (wait := _wait_s(pk, at)) is not None]
        found.counts["runs that lost their owner"] = len(self.lost)
        for name, part in {"median": 0.5, "longest": 1.0}.items():
            found.counts[f"ms without an owner, {name}"] = round(1000 * quantile([wait for _, _, wait in waits], part))
        somebody = [(pk, wait) for pk, at, wait in waits if self._most_s(at) is not None]
        found.counts["of these, with a worker to take them"] = len(somebody)
        for pk, at, wait in waits:
            most_s = self._most_s(at)
            found.require(most_s is None or wait <= most_s, f"run {pk} lay idle for {wait:.1f} s, and {most_s} s are promised")

    def _most_s(self, at: float) -> float | None:
        """So long a run that lost its owner then may wait; ``None`` where no worker lived long enough after that."""
        since = [max(began, at) for began, ended in self.lives if ended - max(began, at) >= self.within_s]
        return min(since) - at + self.within_s if since else None


def _wait_s(run_pk: int, at: float) -> float | None:
    """From then to the next owner; ``None`` where the run had just ended."""
    later = RunEvent.objects.filter(run=run_pk, type=EventType.RUN_RESUMED.value, created_at__gt=datetime.fromtimestamp(at, UTC))
    taken = later.order_by("seq").values_list("created_at", flat=True).first()
    return None if taken is None else taken.timestamp() - at
