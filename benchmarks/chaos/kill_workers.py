"""kill -9 hits one of the workers again and again, at random moments; it is started anew at once.

Questions come through the API all the while. The audit is that of ``benchmarks/kill.py``: every run ends well, no call is begun after its
step's result, the provider's log equals the ledger. Where a worker lives long enough, no run waits longer for its next owner than promised.
"""

import argparse
import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.audit import Audit, audit, read_log
from benchmarks.chaos.crowd import ACCEPTED
from benchmarks.chaos.idle import Idle
from benchmarks.chaos.services import Ground
from benchmarks.chaos.stack import COUNCIL, Stack, standing
from benchmarks.killing import demand_good_ends, leave_database, wait_for_the_end
from council_site.celery import app
from councils.models import CouncilRun
from councils.runner import host

# Of a worker's life, from its start. A forked one takes its first run after about a second. Most die before they could take anything over;
# now and then one lives long enough to take up what the others have left, and is killed with that.
LIFE_S = (0.5, 8.0)
LONG_LIFE_S = (25.0, 40.0)
LONG_LIVES = 0.1
READY_S = 2.0
LATEST_TAKE_OVER_S = 15.0
LOOK_S = 0.05


class ForkedWorker:
    """A Celery worker that begins as a copy of this process, which has loaded everything: it starts in a tenth of the time."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log
        self._pid = 0
        self.ended_by_itself = 0

    @property
    def owner(self) -> str:
        """Its name in the runs that it owns."""
        return f"{self._name}:{self._pid}"

    def start(self) -> None:
        leave_database()
        self._pid = os.fork()
        if not self._pid:
            with self._log.open("ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            # Its engine was made by the parent, and still goes by that one's name.
            host.current().worker = f"{self._name}:{os.getpid()}"
            app.worker_main(["worker", "-P", "threads", "-c", "50", "-l", "warning", "-n", f"{self._name}@%h"])
            os._exit(0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end of the process."""
        if self._pid:
            if os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                os.kill(self._pid, number)
                os.waitpid(self._pid, 0)
            else:
                self.ended_by_itself += 1
            self._pid = 0


def carry_out(ground: Ground, options: argparse.Namespace, chance: random.Random) -> Audit:
    """Kill workers so often while runs are asked for, and audit what is there afterwards."""
    began, idle = time.monotonic(), Idle(LATEST_TAKE_OVER_S, READY_S)
    with standing(ground, workers=0) as stack, ExitStack() as ends:
        crew = [ForkedWorker(f"forked{number}", ground.folder / f"forked{number}.log") for number in range(options.workers)]
        for worker in crew:
            ends.callback(worker.send, signal.SIGKILL)
            worker.start()
            idle.begins(worker.owner)
        _rounds(stack, crew, options, chance, idle)
        wait_for_the_end()
        for worker in crew:
            worker.send(signal.SIGTERM)
        found = audit(CouncilRun.objects.order_by("pk"), read_log(stack.provider_log))
    demand_good_ends(found)
    idle.report(found)
    found.require(not sum(worker.ended_by_itself for worker in crew), "a worker ended before it was killed")
    found.counts["kills"] = options.kills
    found.counts["seconds"] = round(time.monotonic() - began)
    return found


def _life_s(chance: random.Random) -> float:
    return chance.uniform(*(LONG_LIFE_S if chance.random() < LONG_LIVES else LIFE_S))


def _rounds(stack: Stack, crew: list[ForkedWorker], options: argparse.Namespace, chance: random.Random, idle: Idle) -> None:
    dies_at = {worker: time.monotonic() + _life_s(chance) for worker in crew}
    kills = asked = 0
    with httpx.Client(base_url=stack.site, headers={"Authorization": f"Bearer {stack.key}"}, timeout=60) as client:
        while kills < options.kills:
            worker = min(crew, key=lambda worker: dies_at[worker])
            while (left_s := dies_at[worker] - time.monotonic()) > 0:
                time.sleep(min(left_s, LOOK_S))
            owner = worker.owner
            worker.send(signal.SIGKILL)
            idle.ends(owner)
            idle.loses(owner)
            kills += 1
            due = options.runs * kills // options.kills
            while asked < due:
                answer = client.post("/api/v1/runs/", json={"council": COUNCIL, "question": f"Question {asked}: which is best?"})
                if answer.status_code != ACCEPTED:
                    raise RuntimeError(f"not accepted: {answer.text}")
                asked += 1
            worker.start()
            idle.begins(worker.owner)
            dies_at[worker] = time.monotonic() + _life_s(chance)
