"""Work that goes on after its answer was sent: how it stands. The database says so; what a broker remembers is never asked.

A task's id is the public id of the row that stands for the work, so that it can be followed as long as the row is there, whoever does it
and however often its message was sent.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from councils.models import CouncilRun, User


class TaskKind(StrEnum):
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundTask:
    """One piece of work. ``status`` is a run's: queued, running, succeeded, partial, failed or cancelled. ``reason`` says how it ended."""

    task_id: str
    kind: TaskKind
    status: str
    reason: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


def find_task(*, by: User, task_id: str) -> BackgroundTask | None:
    """The task of this user with this id; ``None`` where there is none, or it is somebody else's."""
    run = CouncilRun.objects.visible_to(by).filter(public_id=task_id)
    found = run.values_list("status", "reason", "created_at", "started_at", "finished_at").first()
    if found is None:
        return None
    status, reason, created_at, started_at, finished_at = found
    return BackgroundTask(
        task_id=task_id,
        kind=TaskKind.RUN,
        status=status,
        reason=reason,
        created_at=created_at,
        started_at=started_at,
        finished_at=finished_at,
    )
