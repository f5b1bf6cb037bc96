"""A new version is rolled out again and again while people ask and watch: each process is told to stop, and started anew when it has ended.

Two web processes stand behind a proxy, so that one always serves. No request may fail, every run ends well, no finished call is paid
again, runs have their next owner soon, and viewers come back and miss nothing.
"""

import argparse
import asyncio
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from django.db import connections

from benchmarks.audit import Audit, audit, read_log
from benchmarks.chaos.balancer import Balancer
from benchmarks.chaos.crowd import ACCEPTED, OK, Crowd
from benchmarks.chaos.idle import Idle
from benchmarks.chaos.services import Ground
from benchmarks.chaos.stack import Stack, Worker, standing
from benchmarks.killing import Server
from councils.models import CouncilRun

PACE_S = 0.7
WARM_UP_S = 4.0
# A worker takes its first run some seconds after its process has begun.
WORKER_START_S = 4.0
# From the signal, where another worker is there.
LATEST_HAND_OVER_S = 2.0


@dataclass(slots=True)
class Balanced(Stack):
    """The same installation with a second web process, reached through a proxy."""

    balancer: Balancer
    spare: Server

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.balancer.port}"


@dataclass(slots=True)
class Rollout:
    """How often each kind was restarted, and how long its processes took to stop, in seconds."""

    stops_s: dict[str, list[float]] = field(default_factory=dict)
    idle: Idle = field(default_factory=lambda: Idle(LATEST_HAND_OVER_S, WORKER_START_S))

    async def keep_rolling(self, stack: Balanced) -> None:
        """One process after the other, for ever."""
        while True:
            for web in (stack.web, stack.spare):
                await self._restart("web", web.send, web.start)
            for worker in stack.workers:
                await asyncio.to_thread(self._stops, worker)
                await self._restart("worker", worker.send, worker.start)
                self.idle.begins(worker.name)
                await asyncio.sleep(WORKER_START_S)

    def _stops(self, worker: Worker) -> None:
        self.idle.ends(worker.name)
        self.idle.loses(worker.owner)
        connections.close_all()

    async def _restart(self, kind: str, send: Callable[[signal.Signals], None], start: Callable[[], None]) -> None:
        began = time.monotonic()
        await asyncio.to_thread(send, signal.SIGTERM)
        self.stops_s.setdefault(kind, []).append(time.monotonic() - began)
        await asyncio.to_thread(start)

    def report(self, found: Audit) -> None:
        for kind, times in self.stops_s.items():
            found.counts[f"restarts, {kind}"] = len(times)
            found.counts[f"ms {kind} stops, longest"] = round(1000 * max(times))
        self.idle.report(found)


def carry_out(ground: Ground, options: argparse.Namespace, _chance: random.Random) -> Audit:
    """Restart everything in turn while runs are asked for, and audit what is there afterwards."""
    with standing(ground, workers=options.workers) as plain, ExitStack() as ends:
        spare = Server(ground.folder / "spare.log")
        ends.callback(spare.close)
        spare.start()
        balancer = Balancer([plain.web.port, spare.port])
        balancer.start()
        ends.callback(balancer.stop)
        stack = Balanced(plain.ground, plain.web, plain.workers, plain.key, plain.cookie, plain.provider_log, balancer, spare)
        crowd, rollout = Crowd(stack, options.runs, PACE_S), Rollout()
        for worker in stack.workers:
            rollout.idle.begins(worker.name)
        asyncio.run(_meet(crowd, stack, rollout))
        found = audit(CouncilRun.objects.order_by("pk"), read_log(stack.provider_log))
        found.counts["connections that one web process refused and the other took"] = balancer.refusals
    crowd.report(found)
    rollout.report(found)
    for run in CouncilRun.objects.exclude(status="succeeded"):
        found.require(False, f"{run} ended as {run.status}: {run.reason}")
    refused = {name: times for name, times in crowd.answers.items() if int(name.split()[-1]) not in {OK, ACCEPTED}}
    found.require(not refused, f"not everybody was served: {refused}")
    found.require(found.counts["calls orphaned"] == 0, "a process that was told to stop left calls behind")
    return found


async def _meet(crowd: Crowd, stack: Balanced, rollout: Rollout) -> None:
    await asyncio.sleep(WARM_UP_S)
    rolling = asyncio.create_task(rollout.keep_rolling(stack))
    await crowd.come()
    rolling.cancel()
    await asyncio.gather(rolling, return_exceptions=True)
