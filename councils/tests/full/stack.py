"""A whole installation on this machine for tests: web, workers, beat and Flower as processes, a database and a Redis of its own.

A test gets one from ``installation``, stages a council with ``Stack.stage``, and hurts the processes that it started itself.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
import redis
import websockets
from websockets.typing import Origin

ROOT = Path(__file__).resolve().parents[3]
# Bounds that only a process that hangs reaches, however busy the machine is.
PATIENCE_S = 180.0
STOP_PATIENCE_S = 20.0
QUICK_BEHAVIOUR = "tokens=40,rate=40"

Process = subprocess.Popen[bytes]

STAGE = """
import django, json, sys
django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from benchmarks.staging import fake_model, stage_council
from councils.models import ApiKey, User
url, slug, name, staff, behaviour = sys.argv[1:]
user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": bool(staff), "is_superuser": bool(staff)})
stage_council([fake_model(url, f"{behaviour},name=s{n}") for n in range(4)], slug=slug)
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session.create()
print(json.dumps({"key": ApiKey.issue(user=user, name="stack")[1], "session": session.session_key, "council": slug}))
"""


@dataclass(frozen=True, slots=True)
class Access:
    """How one user comes in: by key, by a browser's session; and the council that was staged for them."""

    key: str
    session: str
    council: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


class OwnRedis:
    """A Redis server that a test may kill, freeze and empty. It keeps nothing; ``start`` brings back an empty one at the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: Process | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._pongs, "Redis answers")

    def freeze(self) -> None:
        """It still accepts connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            client.flushall()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "this Redis is not running"
        self._process.send_signal(number)

    def _pongs(self) -> bool:
        try:
            with contextlib.closing(redis.Redis.from_url(self.url, socket_timeout=1)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class Stack:
    """The processes of an installation, each started by the command that the compose file runs.

    ``port`` and ``site`` are those of the first web process. Every key of ``environment`` is set for all processes.
    """

    def __init__(self, database_url: str, messages: OwnRedis, **environment: str) -> None:
        self.redis = messages
        self.env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "council_site.settings",
            "SITE_PROFILE": "local",
            "DATABASE_URL": database_url,
            "REDIS_URL": messages.url,
            "RUN_ENGINE": "celery",
            "RUN_LEASE_TTL_S": "2",
            "RUN_HEARTBEAT_S": "0.5",
            "ENV_FILE": os.devnull,
            **environment,
        }
        self.port = free_port()
        self.site = f"http://127.0.0.1:{self.port}"

    def run(self, *command: str) -> str:
        """What a command of the site prints."""
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=self.env, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def stage(
        self, provider_url: str, *, slug: str = "stack", user: str = "viewer", staff: bool = False, behaviour: str = QUICK_BEHAVIOUR
    ) -> Access:
        """A user, and a council of four seats of the fake provider that behave so."""
        return Access(**json.loads(self.run("-c", STAGE, provider_url, slug, user, "1" if staff else "", behaviour)))

    @contextlib.contextmanager
    def web(self, port: int = 0, **environment: str) -> Iterator[Process]:
        """A web process at this port, by default at that of ``site``."""
        port = port or self.port
        with self.process("manage.py", "serve", "--port", str(port), **environment) as process:
            until(lambda: _answers(f"http://127.0.0.1:{port}/api/v1/councils/", 401), "the web process answers")
            yield process

    @contextlib.contextmanager
    def worker(self, name: str, *, concurrency: int = 20, **environment: str) -> Iterator[Process]:
        """A Celery worker. It takes a second or two until it works; ``until(lambda: stack.pings(name), ...)`` waits for that."""
        command = ("worker", "-P", "threads", "-c", str(concurrency), "-n", f"{name}@%h", "-l", "warning")
        with self.process("-m", "celery", "-A", "council_site", *command, **environment) as process:
            yield process

    @contextlib.contextmanager
    def beat(self, **environment: str) -> Iterator[Process]:
        """The process that sends what is on the schedule."""
        with self.process("-m", "celery", "-A", "council_site", "beat", "-l", "warning", **environment) as process:
            yield process

    @contextlib.contextmanager
    def flower(self, port: int, **environment: str) -> Iterator[Process]:
        """Flower at this port."""
        command = ("flower", "--address=127.0.0.1", f"--port={port}", "--logging=warning")
        with self.process("-m", "celery", "-A", "council_site", *command, **environment) as process:
            until(lambda: _answers(f"http://127.0.0.1:{port}/healthcheck", 200), "Flower answers")
            yield process

    @contextlib.contextmanager
    def process(self, *command: str, **environment: str) -> Iterator[Process]:
        """A Python process of the site. It is asked to stop at the end, and killed where it does not."""
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self.env | environment)
        try:
            yield process
        finally:
            stop(process)

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """What the database says, or the effect of a statement."""
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as database:
            found = database.execute(query, values)
            return found.fetchall() if found.description else []

    def pings(self, name: str) -> bool:
        """Whether a worker answers, asked the way the compose file asks."""
        host = socket.gethostname()
        command = ["-m", "celery", "-A", "council_site", "inspect", "ping", "--destination", f"{name}@{host}", "--timeout", "5"]
        return subprocess.run([sys.executable, *command], cwd=ROOT, env=self.env, check=False, stdout=subprocess.DEVNULL).returncode == 0

    def get(self, path: str, access: Access | None = None, *, port: int = 0) -> httpx.Response:
        site = f"http://127.0.0.1:{port}" if port else self.site
        return httpx.get(f"{site}{path}", headers=access.headers if access else {}, timeout=30)

    def start_run(self, access: Access, question: str = "") -> str:
        """Ask something new, so that nothing is answered from the cache, or this question."""
        asked = question or f"Which is best of {time.monotonic_ns()}?"
        answer = httpx.post(
            f"{self.site}/api/v1/runs/", headers=access.headers, json={"council": access.council, "question": asked}, timeout=30
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def read_run(self, access: Access, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/v1/runs/{run_id}/", access).json()
        return found

    def ended(self, access: Access, run_id: str) -> dict[str, Any]:
        """The record of a run once it has ended."""
        until(lambda: self.read_run(access, run_id)["finished_at"], "the run ends")
        return self.read_run(access, run_id)

    async def watch(self, access: Access, run_id: str) -> tuple[list[dict[str, Any]], int]:
        """The events of a run until it has ended, and how many messages with new text came."""
        events, deltas = [], 0
        cookie = {"Cookie": f"sessionid={access.session}"}
        address = self.site.replace("http", "ws", 1) + "/ws/"
        where: Any = {"additional_headers": cookie, "origin": Origin(self.site), "open_timeout": PATIENCE_S}
        async with asyncio.timeout(PATIENCE_S), websockets.connect(address, **where) as viewer:
            await viewer.send(json.dumps({"type": "subscribe", "run": run_id, "after": 0}))
            async for text in viewer:
                message = json.loads(text)
                deltas += message["type"] == "delta"
                if message["type"] == "event":
                    events.append(message["event"])
                    if events[-1]["type"] == "run_finished":
                        break
        return events, deltas


@contextlib.contextmanager
def installation(name: str, **environment: str) -> Iterator[Stack]:
    """A stack with an empty, migrated PostgreSQL database and a Redis of its own, which a test may hurt. Starts no process of the site."""
    server, _, base = os.environ["TEST_DATABASE_URL"].rpartition("/")
    database = f"{base}_{name}"
    with own_redis() as messages, psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {database}".encode())
        # The tests hurt everything but PostgreSQL, so that it need not wait for the disk.
        admin.execute(f"ALTER DATABASE {database} SET synchronous_commit TO off".encode())
        try:
            stack = Stack(f"{server}/{database}", messages, **environment)
            stack.run("manage.py", "migrate", "-v0", "--no-input")
            yield stack
        finally:
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


@contextlib.contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """A Redis that runs, for one test to hurt."""
    server = OwnRedis()
    server.start()
    try:
        yield server
    finally:
        server.kill()


def stop(process: Process) -> None:
    """Ask a process to stop; kill it when it does not."""
    process.terminate()
    try:
        process.wait(STOP_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(holds: Callable[[], Any], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait for something to become true; fail with ``what`` when it does not."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


def _answers(url: str, status: int) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == status
    except httpx.TransportError:
        return False
