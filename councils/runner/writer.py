"""One thread that runs store functions for the engine loop, several in one commit.

A commit that is forced to disk is what a durable run costs. Runs that write at the same moment share it: measured, a third of the CPU
time a write and a fraction of the waiting. On SQLite one writer also means that nobody polls for a lock.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from itertools import count
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction

from councils.runner.trouble import Trouble
from councils.store.budgets import accounts_of, lock
from councils.store.claims import claim_run, orphan_calls_of_ended_run
from councils.store.moments import is_moment
from councils.store.ownership import Claim, lock_runs

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

BATCH = 32
AWAY_S = 0.5
BY_NUMBER = (claim_run, orphan_calls_of_ended_run)
"""Store functions that take a run's number where others take a claim."""


@dataclass(slots=True, eq=False)
class _Job:
    work: partial[Any]
    future: asyncio.Future[Any]
    outcome: Any = None
    error: Exception | None = None

    def accounts(self) -> list[int]:
        """The budget accounts that this may move: those of the run that it was claimed for."""
        claim = self._about
        return [hold.account for hold in claim.holds] if isinstance(claim, Claim) else []

    def strangers(self) -> list[int]:
        """The run that this moves without having claimed it. Its accounts are not known yet, and may be moved all the same."""
        return [self._about] if self.work.func in BY_NUMBER else []

    def runs(self) -> list[int]:
        """The run that this moves, if it is about one."""
        claim = self._about
        return [claim.run_pk] if isinstance(claim, Claim) else self.strangers()

    @property
    def _about(self) -> Any:
        return self.work.args[0] if self.work.args else None

    def report(self) -> None:
        """Hand the outcome to whoever waits on the engine loop. Nobody may be waiting any more: the work is done all the same."""
        self.future.get_loop().call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outcome)


class _Turn(IntEnum):
    """Who comes first where several wait.

    Signs of life, or an owner that has much to write is taken for dead. Then what was paid for, so that a kill loses as little of it as
    can be.
    """

    LIFE = 0
    PAID = 1
    USUAL = 2
    END = 3


_Queued = tuple[_Turn, int, _Job | None]


class Writer:
    """Runs sync functions with the ORM, in order, paid answers before others. Each is atomic."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[_Queued] = queue.PriorityQueue()
        self._count = count()
        self._trouble = Trouble(logger)
        self._thread = threading.Thread(target=self._run, name="council-writer", daemon=True)
        self._thread.start()

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it and return what it returns, once that is committed. Cancelling the wait does not undo the work."""
        return await self._do(_Turn.USUAL, partial(function, *args, **kwargs))

    async def first(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Like a call, but before everything that waits: for signs of life."""
        return await self._do(_Turn.LIFE, partial(function, *args, **kwargs))

    async def insist(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Like a call, but tried again for as long as the database is away. The function must bear being run twice."""
        return await self._until_done(_Turn.USUAL, partial(function, *args, **kwargs))

    async def book(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Insist, and go first: for what was paid for."""
        return await self._until_done(_Turn.PAID, partial(function, *args, **kwargs))

    async def _until_done(self, turn: _Turn, work: partial[T]) -> T:
        while True:
            try:
                return await self._do(turn, work)
            except (OperationalError, InterfaceError):
                await asyncio.sleep(AWAY_S)

    def close(self) -> None:
        """Finish what is queued, then end the thread."""
        self._jobs.put((_Turn.END, next(self._count), None))
        self._thread.join()

    async def _do(self, turn: _Turn, work: partial[T]) -> T:
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._jobs.put((turn, next(self._count), job))
        result: T = await job.future
        return result

    def _run(self) -> None:
        while True:
            batch = self._gather()
            jobs = [job for _, _, job in batch if job is not None]
            self._commit(jobs)
            for job in jobs:
                job.report()
            if len(jobs) < len(batch):
                connection.close()
                return

    def _gather(self) -> list[_Queued]:
        """What is committed next. A sign of life goes by itself: others take longer, and it locks all runs of this process."""
        batch = [self._jobs.get()]
        while batch[0][0] is not _Turn.LIFE and len(batch) < BATCH and not self._jobs.empty():
            queued = self._jobs.get()
            if queued[0] is _Turn.LIFE:
                # It came while others were gathered: it is the next.
                self._jobs.put(queued)
                break
            batch.append(queued)
        return batch

    def _commit(self, jobs: list[_Job]) -> None:
        """Run the jobs in one transaction. A refusal fails its own job; a database that is away fails them all, with nothing written.

        What a database only refuses at the commit (SQLite looks at foreign keys then) is found by running the jobs one by one.
        """
        try:
            if len(jobs) == 1:
                self._attempt(jobs[0])
            elif jobs:
                with transaction.atomic():
                    _lock(jobs)
                    for job in jobs:
                        self._attempt(job)
        except IntegrityError:
            for job in jobs:
                self._attempt_alone(job)
        except Exception as error:  # Mostly the database. Whatever it is, who waits must hear of it, and the thread must live on.
            self._trouble.met(f"not committed, {len(jobs)} writes failed", error)
            for job in jobs:
                job.outcome, job.error = None, error
            # The next batch starts with a new connection; this one may be dead.
            connection.close()
        else:
            self._trouble.over()

    def _attempt_alone(self, job: _Job) -> None:
        job.outcome = job.error = None
        self._commit([job])

    @staticmethod
    def _attempt(job: _Job) -> None:
        try:
            # What is atomic by itself needs no savepoint around it: a fifth of all statements of a run would be of that kind.
            with contextlib.nullcontext() if is_moment(job.work.func) else transaction.atomic():
                job.outcome = job.work()
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # Carried to the coroutine that asked: it is raised there, in its own traceback.
            job.error = error


def _lock(jobs: Sequence[_Job]) -> None:
    """All accounts that the batch may move, then all its runs, each in one order: two workers never wait for each other."""
    known = [account for job in jobs for account in job.accounts()]
    lock([*known, *accounts_of([run for job in jobs for run in job.strangers()])])
    lock_runs(run for job in jobs for run in job.runs())
