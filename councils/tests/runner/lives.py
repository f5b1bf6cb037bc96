"""Lives of a runner that end where a test says: the writer fails, or the whole process dies, at the n-th write of a run."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError

from benchmarks.audit import Audit, audit
from councils.caching.flights import Flights
from councils.caching.shelf import Shelf
from councils.models import CouncilRun, ModelCall
from councils.providers.scripted import ScriptedProvider
from councils.runner.drive import Driver
from councils.runner.switchboard import Switchboard
from councils.runner.work import RunWork
from councils.runner.writer import Writer
from councils.store.claims import claim_run, live_runs, orphan_calls_of_ended_run, stray_calls

T = TypeVar("T")

# More lives than this for one run mean that it does not get on.
MAX_LIVES = 6


class How(Enum):
    """How a write goes wrong."""

    REFUSED = auto()  # nothing was written, and the caller hears of it
    LOST_REPLY = auto()  # written, but the caller hears that it was not
    KILLED_BEFORE = auto()  # the process dies, nothing was written
    KILLED_AFTER = auto()  # the process dies between the commit and its consequence


@dataclass(frozen=True, slots=True)
class Fault:
    """The write with this number (from 0), or the first of this name, goes wrong in this way."""

    point: int | str
    how: How

    def strikes(self, written: Sequence[str]) -> bool:
        """Whether the last of these writes is the one."""
        if isinstance(self.point, int):
            return len(written) - 1 == self.point
        return written[-1] == self.point and written.count(self.point) == 1


class FaultyWriter(Writer):
    """A writer that fails once. After a kill it writes nothing any more, like a process that is not there."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.fault = fault
        self.written: list[str] = []
        self.struck = ""
        self.dead = asyncio.Event()

    async def _do(self, turn: Any, work: partial[T]) -> T:
        name = work.func.__name__
        if self.dead.is_set():
            raise asyncio.CancelledError
        if name == live_runs.__name__:
            return await super()._do(turn, work)
        self.written.append(name)
        fault = self.fault
        if fault is None or not fault.strikes(self.written):
            return await super()._do(turn, work)
        self.struck = name
        if fault.how in (How.LOST_REPLY, How.KILLED_AFTER):
            await super()._do(turn, work)
        if fault.how in (How.KILLED_BEFORE, How.KILLED_AFTER):
            self.dead.set()
            raise asyncio.CancelledError
        raise OperationalError("the connection broke, as ordered")


@dataclass(slots=True)
class Story:
    """The lives that one run took, and which write the fault struck (empty: there was none left to strike)."""

    run: CouncilRun
    struck: str = ""
    lives: int = 0
    wrote: list[str] = field(default_factory=list)


async def live_once(run_pk: int, fault: Fault | None) -> FaultyWriter:
    """Claim the run, whose owner is dead if it has one, and drive it until it ends or this life does."""
    writer = FaultyWriter(fault)
    try:
        driving = asyncio.create_task(drive(run_pk, writer))
        dying = asyncio.create_task(writer.dead.wait())
        await asyncio.wait([driving, dying], return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        driving.cancel()
        (outcome,) = await asyncio.gather(driving, return_exceptions=True)
        # An attempt that was written down although its owner heard otherwise is found by the unique key: then the host drops the run.
        if isinstance(outcome, Exception) and not isinstance(outcome, OperationalError | IntegrityError):
            raise outcome
    finally:
        writer.close()
    return writer


async def drive(run_pk: int, writer: FaultyWriter) -> None:
    """Claim a run, whose owner is dead if it has one, and move it until it ends or is lost."""
    signs = {live.pk: None if live.free else live.sign for live in await writer(live_runs)}
    claimed = await writer(claim_run, run_pk, worker="life", dead=signs[run_pk])
    if claimed is not None:
        await Driver(RunWork.of(claimed, writer, Switchboard(), Flights(Shelf(writer)))).run()


def play(run: CouncilRun, fault: Fault | None = None) -> Story:
    """Let a run live with this fault in its first life and none in later ones, until it has ended."""
    story = Story(run)
    while CouncilRun.objects.live().filter(pk=run.pk).exists() and story.lives < MAX_LIVES:
        writer = asyncio.run(live_once(run.pk, fault if story.lives == 0 else None))
        story.struck = story.struck or writer.struck
        story.wrote += writer.written
        story.lives += 1
    # What the scan of a host does in time: calls that their owner could not book any more are closed.
    for run_pk, call_pks in stray_calls().items():
        orphan_calls_of_ended_run(run_pk, call_pks)
    run.refresh_from_db()
    return story


def audit_scripted(run: CouncilRun, provider: ScriptedProvider) -> Audit:
    """The audit of a run whose provider was scripted: its requests are the log."""
    calls = set(ModelCall.objects.filter(run=run).values_list("public_id", flat=True))
    aborted = {request.call_id for request in provider.aborted}
    log: list[dict[str, Any]] = [
        {"call_id": request.call_id, "outcome": "aborted" if request.call_id in aborted else "completed"}
        for request in provider.requests
        if request.call_id in calls
    ]
    return audit([run], log)
