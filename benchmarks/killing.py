"""The rounds of ``kill.py``: a server that is killed and started again, questions, and the audit. Needs Django set up."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresConnection

from benchmarks.audit import RESULTS, Audit, audit, read_log
from benchmarks.staging import fake_model, stage_council
from councils.engine.events import EventType
from councils.models import AtLimit, Budget, CouncilConfiguration, CouncilRun, User
from councils.services.asking import ask_council
from councils.services.reconciling import differences
from councils.store.claims import MAX_BARREN_DEATHS

ROOT = Path(__file__).resolve().parent.parent
# One seat answers at once, so that a life of any length can bring a run on; another is now and then so slow that nobody waits for it.
SEATS = (
    "tokens=8,name=quick",
    "tokens=30,rate=250,ttft=0.02,name=steady",
    "tokens=30,rate=200,ttft=0.05,fault=503,fail_first=9,retry_after=0,name=shaky",
    "tokens=30,rate=250,slow_every=6,slow_by=6,name=dawdler",
)
END_PATIENCE_S = 180.0
START_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often to kill and how many questions to ask meanwhile. ``life_s`` is the longest time from listening to the kill.

    A ``warm`` server is forked from this process instead of started anew.
    """

    kills: int
    runs: int
    life_s: float
    warm: bool = False


class Process(Protocol):
    """What of ``subprocess.Popen`` is needed here."""

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


class Forked:
    """A server that begins as a copy of this process, which has loaded everything already: it starts in a tenth of the time."""

    def __init__(self, port: int, log: BinaryIO) -> None:
        leave_database()
        self._status: int | None = None
        self._pid = os.fork()
        if not self._pid:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            call_command("serve", port=port)
            os._exit(0)

    def poll(self) -> int | None:
        if self._status is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if ended else None
        return self._status

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        return self._status

    def send_signal(self, number: int, /) -> None:
        os.kill(self._pid, number)


def leave_database() -> None:
    """Close all connections: one that two processes use breaks in both."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, PostgresConnection):
            connection.close_pool()


class Server:
    """``manage.py serve`` in a process of its own: a new one each time, or a ``warm`` one that is forked from this process."""

    def __init__(self, log: Path, *, warm: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self._log = log.open("ab")
        self._warm = warm
        self._environment = environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it listens."""
        process: Process = Forked(self.port, self._log) if self._warm else self._fresh()
        self._process = process
        end = time.monotonic() + START_PATIENCE_S
        while not self._listens():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server does not start; see {self._log.name}")
            time.sleep(0.02)

    def _fresh(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        return subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log, env=self._environment)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end of the process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.send(signal.SIGKILL)
        self._log.close()


@contextmanager
def provider(log: Path) -> Iterator[str]:
    """The fake provider in a process of its own: it outlives every kill."""
    command = [sys.executable, "benchmarks/fake_provider.py", "--port", "0", "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def carry_out(plan: Plan, directory: Path, chance: random.Random) -> Audit:
    """Do it all and audit what is there afterwards."""
    call_command("migrate", verbosity=0)
    log = directory / "calls.jsonl"
    log.touch()
    started = time.monotonic()
    with provider(log) as url:
        council = stage_council([fake_model(url, seat) for seat in SEATS], soft_deadline_s=0)
        user = User.objects.create_user("asker")
        Budget.objects.create(limit_usd=1_000, at_limit=AtLimit.PARTIAL)
        server = Server(directory / "server.log", warm=plan.warm)
        try:
            kills = _rounds(plan, server, council, user, chance)
            server.start()
            wait_for_the_end()
            server.send(signal.SIGTERM)
        finally:
            server.close()
    found = audit(CouncilRun.objects.order_by("pk"), read_log(log))
    demand_good_ends(found)
    for difference in differences():
        found.require(False, f"A budget does not agree with the ledger. {difference}")
    found.counts["kills"] = kills
    found.counts["seconds"] = round(time.monotonic() - started)
    return found


def _rounds(plan: Plan, server: Server, council: CouncilConfiguration, user: User, chance: random.Random) -> int:
    asked = 0
    for kill in range(1, plan.kills + 1):
        # Some are asked while no server runs, some while one does.
        due = plan.runs * kill // plan.kills
        asked = _ask(council, user, asked, asked + chance.randint(0, due - asked))
        server.start()
        moment = time.monotonic() + chance.uniform(0, plan.life_s)
        asked = _ask(council, user, asked, due)
        time.sleep(max(0.0, moment - time.monotonic()))
        server.send(signal.SIGKILL)
    return plan.kills


def _ask(council: CouncilConfiguration, user: User, first: int, end: int) -> int:
    for number in range(first, end):
        ask_council(by=user, council=council, question=f"Question {number}: which is best?")
    return end


def wait_for_the_end() -> None:
    """Wait until no run is live any more, or patience ends: the audit tells."""
    end = time.monotonic() + END_PATIENCE_S
    while CouncilRun.objects.live().exists() and time.monotonic() < end:
        time.sleep(0.1)


def demand_good_ends(found: Audit) -> None:
    """Every run has succeeded, unless three deaths in a row met it before it could finish one step: then it is given up, by rule."""
    for run in CouncilRun.objects.exclude(status="succeeded"):
        given_up = run.status == "failed" and _barren_deaths(run) >= MAX_BARREN_DEATHS
        found.counts["runs given up after three deaths"] += given_up
        found.require(given_up, f"{run} ended as {run.status}: {run.reason}")


def _barren_deaths(run: CouncilRun) -> int:
    """How often the run was taken over since it last got on, by its events."""
    deaths = 0
    for kind in run.events.order_by("seq").values_list("type", flat=True):
        if kind in RESULTS or kind == EventType.STEP_LATE:
            deaths = 0
        deaths += kind == EventType.RUN_RESUMED
    return deaths
