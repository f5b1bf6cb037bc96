"""The engine loop of a process: one event loop in a thread of its own, on which all its runs are driven.

Daphne tells an application nothing of start and stop, and pages must stay quick while a hundred runs stream: so the engine has its own
thread, started by the command that serves. It also looks for runs that nobody owns, so that a restart resumes them without a visitor.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection

from councils.caching.flights import Flights
from councils.caching.shelf import Shelf
from councils.live.drafts import drafts_are_shared, keep_drafts
from councils.providers import client
from councils.runner.drive import Driver
from councils.runner.switchboard import Switchboard
from councils.runner.trouble import Trouble
from councils.runner.work import RunWork
from councils.runner.writer import Writer
from councils.store.claims import Claimed, LiveRun, Sign, claim_run, live_runs, orphan_calls_of_ended_run, stray_calls
from councils.store.ownership import drop, release, show_life
from councils.store.seated import seated_models
from councils.store.signs import sign, sign_off
from councils.telemetry import metrics

logger = logging.getLogger(__name__)

SCAN_S = 1.0
LONGEST_GAP_S = 1.5
SIGN_S = 5.0
SEATED_S = 60.0
DRAFTS_S = 0.3
STOP_S = 5.0
SWITCH_S = 0.0005
"""How long a thread computes while another one waits for its turn: a tenth of Python's own default.

A thread that asks the database gives its turn away with each statement. Beside a busy event loop it gets it back only after this time.
"""


def take_short_turns() -> None:
    """Have the threads of this process, event loops and those that ask the database, wait less for each other."""
    sys.setswitchinterval(SWITCH_S)


@dataclass(slots=True)
class _Watched:
    """A sign of life and since when it has not changed, on this process's monotonic clock."""

    sign: Sign
    since: float


@dataclass(slots=True)
class Watch:
    """Tells dead owners by their heartbeat alone. No two machines' clocks are ever compared.

    Of a pause between two looks at most ``longest_gap_s`` counts: while the database was away nobody could show life, and while this
    process was frozen it saw nothing. Else every living owner would be taken for dead when a database comes back, and paid for twice.
    """

    ttl_s: float
    longest_gap_s: float = float("inf")
    _seen: dict[int, _Watched] = field(default_factory=dict)
    _looked_at: float | None = None
    _away_s: float = 0.0

    def dead(self, runs: list[LiveRun], *, now: float) -> dict[int, Sign | None]:
        """Runs that may be claimed: those that are free (``None``), and those whose owner has shown no life for the lease's time."""
        watched = self._watched(now)
        self._seen = {run.pk: self._look(run, watched) for run in runs}
        free: dict[int, Sign | None] = {run.pk: None for run in runs if run.free}
        return free | {run.pk: run.sign for run in runs if not run.free and watched - self._seen[run.pk].since >= self.ttl_s}

    def _watched(self, now: float) -> float:
        """``now`` on a clock that stands while nobody looks."""
        if self._looked_at is not None:
            self._away_s += max(0.0, now - self._looked_at - self.longest_gap_s)
        self._looked_at = now
        return now - self._away_s

    def _look(self, run: LiveRun, now: float) -> _Watched:
        seen = self._seen.get(run.pk)
        return seen if seen is not None and seen.sign == run.sign else _Watched(run.sign, now)


class EngineHost:
    """The runs of this process. ``submit`` and ``nudge`` may be called from any thread, the rest lives on the loop."""

    def __init__(self) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ending: threading.Thread | None = None
        self._drivers: dict[int, asyncio.Task[None]] = {}
        self._driving: dict[int, Driver] = {}
        self._strays: dict[int, float] = {}
        self._sign_at = 0.0
        self._seated_at = 0.0

    @property
    def running(self) -> bool:
        return self._loop is not None

    def start(self) -> None:
        """Start the engine loop and its scan in this process. Returns when it runs; starting twice does nothing.

        What keeps it from starting is raised here, and a later start tries again.
        """
        if self._thread is not None:
            return
        take_short_turns()
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="council-engine", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self._loop = self._thread = None
            raise

    def stop(self) -> None:
        """Hand all runs back and end the loop. Another process may take them at once.

        Whoever calls this while another thread does returns with that one: a process that goes on to its end meanwhile takes the threads
        from under a loop that still lets go of what it holds.
        """
        if (loop := self._loop) is not None:
            # Requests that are still answered meanwhile must not send runs to a loop that ends: whoever has an engine finds them.
            self._ending, self._loop = self._thread, None
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._stopping.set)
        if self._ending is not None:
            self._ending.join()
            if self._thread is self._ending:
                self._thread = None

    def submit(self, run_pk: int) -> None:
        """Drive this run if this process has an engine; else the scan of one that has will find it."""
        self._call(self._drive_soon, run_pk, None)

    def nudge(self, run_pk: int) -> None:
        """This run was taken from its owner: if that is us, stop now and not at the next heartbeat."""
        self._call(self._lose, run_pk)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        """Have it called on the loop, if there is one. One that ends at this very moment is none."""
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(function, *args)

    def _serve(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._main(ready))
        except BaseException as fault:
            if ready.done():
                raise
            ready.set_exception(fault)

    async def _main(self, ready: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._writer, self._board = Writer(), Switchboard()
        # On PostgreSQL the cache has a writer of its own: rows that many processes write must not hold up what was paid for. SQLite has one
        # writer anyway, and saves a commit when that does both.
        self._cache_writer = self._writer if connection.vendor == "sqlite" else Writer()
        self._flights = Flights(Shelf(self._cache_writer))
        self._watch = Watch(settings.RUN_LEASE_TTL_S, LONGEST_GAP_S)
        living = asyncio.create_task(self._again(self._show_life, every_s=settings.RUN_HEARTBEAT_S))
        chores = [asyncio.create_task(self._again(self._look_for_runs, every_s=SCAN_S))]
        if drafts_are_shared():
            chores.append(asyncio.create_task(self._again(self._keep_drafts, every_s=DRAFTS_S)))
        ready.set_result(None)
        await self._stopping.wait()
        for task in [*chores, *self._drivers.values()]:
            task.cancel()
        await asyncio.wait([*chores, *self._drivers.values()], timeout=STOP_S)
        # Not before the runs are handed over, or others may take them for those of a dead one.
        living.cancel()
        try:
            await self._flights.shelf.flush()
            with contextlib.suppress(DatabaseFault):
                await self._writer(sign_off, self.worker)
        finally:
            await client.aclose()
            self._writer.close()
            if self._cache_writer is not self._writer:
                self._cache_writer.close()

    def _lose(self, run_pk: int) -> None:
        if run_pk in self._driving:
            self._driving[run_pk].lose()

    def _drive_soon(self, run_pk: int, dead: Sign | None) -> None:
        if run_pk in self._drivers or self._stopping.is_set():
            return
        task = asyncio.create_task(self._drive(run_pk, dead))
        self._drivers[run_pk] = task
        task.add_done_callback(lambda _: self._drivers.pop(run_pk, None))

    async def _drive(self, run_pk: int, dead: Sign | None) -> None:
        claimed = None
        try:
            claimed = await self._claim(run_pk, dead)
            if claimed is None:
                return
            work = RunWork.of(claimed, self._writer, self._board, self._flights)
            work.broadcast.events(claimed.events)
            self._driving[run_pk] = Driver(work)
            await self._driving[run_pk].run()
        except Exception:  # One broken run must not take others with it. It is tried again, and given up after the third time.
            logger.exception("run dropped", extra={"run": run_pk})
            if claimed is not None:
                await self._writer.insist(drop, claimed.claim)
        finally:
            self._driving.pop(run_pk, None)

    async def _claim(self, run_pk: int, dead: Sign | None) -> Claimed | None:
        claiming = asyncio.ensure_future(self._writer(claim_run, run_pk, worker=self.worker, dead=dead))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # The run may be ours by now, and nobody would drive it until the lease has run out.
            claimed = await claiming
            if claimed is not None:
                await self._writer(release, claimed.claim, elapsed_ms=claimed.elapsed_ms)
            raise

    async def _again(self, chore: Callable[[], Awaitable[None]], *, every_s: float) -> None:
        """Do this for ever, with pauses of so many seconds."""
        trouble = Trouble(logger)
        while True:
            try:
                await chore()
                trouble.over()
            except DatabaseFault as fault:
                # The writer has told more of it.
                trouble.met("the database is away; runs go on when it is back", fault, in_full=False)
            except Exception as fault:  # Without its chores a process would hold its runs, show no life, and take none for ever.
                trouble.met(f"{chore.__name__.strip('_').replace('_', ' ')} failed; it is tried again", fault)
            await asyncio.sleep(every_s)

    async def _show_life(self) -> None:
        """Show that the owner of this process's runs lives; stop those that are not its own any more."""
        driving = dict(self._driving)
        if driving:
            for run_pk in await self._writer.first(show_life, [driver.life() for driver in driving.values()]):
                driving[run_pk].lose()

    async def _look_for_runs(self) -> None:
        """Take the runs that nobody owns, and close what nobody will."""
        await self._know_models()
        runs = await self._writer(live_runs)
        for run_pk, dead in self._watch.dead(runs, now=time.monotonic()).items():
            self._drive_soon(run_pk, dead)
        await self._sweep(await self._writer(stray_calls))
        await self._flights.shelf.flush_if_due()
        await self._sign()

    async def _sweep(self, strays: dict[int, list[int]]) -> None:
        """Close calls that nobody will book any more: open since the lease's time although their run has ended."""
        now = time.monotonic()
        self._strays = {pk: self._strays.get(pk, now) for pks in strays.values() for pk in pks}
        for run_pk, call_pks in strays.items():
            old = [pk for pk in call_pks if now - self._strays[pk] >= settings.RUN_LEASE_TTL_S]
            if old and run_pk not in self._driving:
                await self._writer(orphan_calls_of_ended_run, run_pk, old)

    async def _know_models(self) -> None:
        """Have the counts of models that may be asked begin at 0, before their first calls: alerts see only what grows."""
        if settings.ENABLE_METRICS and time.monotonic() >= self._seated_at:
            self._seated_at = time.monotonic() + SEATED_S
            metrics.models_known(await self._writer(seated_models))

    async def _sign(self) -> None:
        """Leave a sign that this engine looks for runs."""
        if time.monotonic() >= self._sign_at:
            self._sign_at = time.monotonic() + SIGN_S
            left_alone = self._board.left_alone()
            await self._writer(sign, self.worker, kind=settings.RUN_ENGINE, runs=len(self._driving), left_alone=left_alone)

    async def _keep_drafts(self) -> None:
        """Put what seats have written so far where other processes find it. Where that fails, only late viewers miss it."""
        fresh = [driver.work.broadcast for driver in self._driving.values() if driver.work.broadcast.dirty]
        if fresh:
            for broadcast in fresh:
                broadcast.dirty = False
            drafts = {broadcast.run_id: broadcast.drafts() for broadcast in fresh}
            await asyncio.to_thread(keep_drafts, drafts)


_host = EngineHost()


def current() -> EngineHost:
    """The engine of this process, running or not."""
    return _host
