"""kill -9 hits one of the workers again and again, at random moments; it is started anew at once.

Questions come through the API all the while. The audit is that of ``benchmarks/kill.py``: every run ends well, no call is begun after its
step's result, the provider's log equals the ledger.
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
from benchmarks.chaos.services import Ground
from benchmarks.chaos.stack import COUNCIL, Stack, standing
from benchmarks.killing import demand_good_ends, leave_database, wait_for_the_end
from council_site.celery import app
from councils.models import CouncilRun
from councils.runner import host

# Of a worker's life, from its start. A forked one takes its first run after about a second.
LIFE_S = (0.5, 8.0)
LOOK_S = 0.05


class ForkedWorker:
    """A Celery worker that begins as a copy of this process, which has loaded everything: it starts in a tenth of the time."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log
        self._pid = 0

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
            os.kill(self._pid, number)
            os.waitpid(self._pid, 0)
            self._pid = 0


def carry_out(ground: Ground, options: argparse.Namespace, chance: random.Random) -> Audit:
    """Kill workers so often while runs are asked for, and audit what is there afterwards."""
    began = time.monotonic()
    with standing(ground, workers=0) as stack, ExitStack() as ends:
        crew = [ForkedWorker(f"forked{number}", ground.folder / f"forked{number}.log") for number in range(options.workers)]
        for worker in crew:
            ends.callback(worker.send, signal.SIGKILL)
            worker.start()
        _rounds(stack, crew, options, chance)
        wait_for_the_end()
        for worker in crew:
            worker.send(signal.SIGTERM)
        found = audit(CouncilRun.objects.order_by("pk"), read_log(stack.provider_log))
    demand_good_ends(found)
    found.counts["kills"] = options.kills
    found.counts["seconds"] = round(time.monotonic() - began)
    return found


def _rounds(stack: Stack, crew: list[ForkedWorker], options: argparse.Namespace, chance: random.Random) -> None:
    dies_at = {worker: time.monotonic() + chance.uniform(*LIFE_S) for worker in crew}
    kills = asked = 0
    with httpx.Client(base_url=stack.site, headers={"Authorization": f"Bearer {stack.key}"}, timeout=60) as client:
        while kills < options.kills:
            worker = min(crew, key=lambda worker: dies_at[worker])
            while (left_s := dies_at[worker] - time.monotonic()) > 0:
                time.sleep(min(left_s, LOOK_S))
            worker.send(signal.SIGKILL)
            kills += 1
            due = options.runs * kills // options.kills
            while asked < due:
                answer = client.post("/api/v1/runs/", json={"council": COUNCIL, "question": f"Question {asked}: which is best?"})
                if answer.status_code != ACCEPTED:
                    raise RuntimeError(f"not accepted: {answer.text}")
                asked += 1
            worker.start()
            dies_at[worker] = time.monotonic() + chance.uniform(*LIFE_S)
