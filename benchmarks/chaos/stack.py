"""The processes of the site, as the compose file starts them, and the ways in. Needs Django set up on the same database."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from subprocess import TimeoutExpired

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command

from benchmarks.chaos.services import Ground
from benchmarks.killing import ROOT, Server, provider
from benchmarks.staging import fake_model, stage_council
from councils.models import ApiKey, User

COUNCIL = "chaos"
# A run of two seconds: long enough to meet faults, short enough to have many.
SEATS = ("tokens=40,rate=60,name=first", "tokens=40,rate=80,name=second", "tokens=30,rate=50,ttft=0.1,name=third")
STOP_PATIENCE_S = 30.0


class Worker:
    """A Celery worker in a process of its own. ``environment`` is the whole one, or ``None`` for ours."""

    def __init__(self, name: str, log: Path, *, environment: Mapping[str, str] | None = None, threads: int = 50) -> None:
        self.name = name
        pool = ["-P", "threads", "-c", str(threads), "-l", "warning"]
        self._command = [sys.executable, "-m", "celery", "-A", "council_site", "worker", *pool, "-n", f"{name}@%h"]
        self._environment = environment
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def owner(self) -> str:
        """Its name in the runs that it owns."""
        return f"{socket.gethostname()}:{self.process.pid if self.process else 0}"

    def start(self) -> None:
        """Start it; it takes its first run some seconds later."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log, env=self._environment)

    def send(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end of the process."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            self.process.wait(STOP_PATIENCE_S)
        except TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@dataclass(slots=True)
class Stack:
    """An installation that serves. ``cookie`` is that of a browser whose user has signed in, ``key`` an API key of the same user."""

    ground: Ground
    web: Server
    workers: list[Worker]
    key: str
    cookie: str
    provider_log: Path

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"


@contextmanager
def standing(ground: Ground, *, workers: int) -> Iterator[Stack]:
    """Migrate, stage a council, start the fake provider, the web process and the workers; end them all."""
    call_command("migrate", verbosity=0)
    log = ground.folder / "calls.jsonl"
    log.touch()
    with provider(log) as url, ExitStack() as ends:
        stage_council([fake_model(url, seat) for seat in SEATS], slug=COUNCIL, soft_deadline_s=0)
        user = User.objects.create_user("asker")
        web = Server(ground.folder / "web.log")
        ends.callback(web.close)
        web.start()
        crew = [Worker(f"worker{number}", ground.folder / f"worker{number}.log") for number in range(1, workers + 1)]
        for worker in crew:
            ends.callback(worker.send, signal.SIGTERM)
            worker.start()
        yield Stack(ground, web, crew, ApiKey.issue(user=user, name="chaos")[1], _cookie(user), log)


def _cookie(user: User) -> str:
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
