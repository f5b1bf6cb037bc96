"""The full installation on one machine: web without an engine, a Celery worker, PostgreSQL, Redis, a viewer on a socket."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import websockets
from websockets.typing import Origin

from benchmarks.fake.server import Running

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
pytestmark = pytest.mark.full

STAGE = """
import django, json, sys
django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from benchmarks.staging import fake_model, stage_council
from councils.models import ApiKey, User
user = User.objects.create(username="viewer")
stage_council([fake_model(sys.argv[1], f"tokens=40,rate=40,name=s{n}") for n in range(4)], slug="stack")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session.create()
print(json.dumps({"key": ApiKey.issue(user=user, name="stack")[1], "session": session.session_key}))
"""


class Stack:
    """The processes of an installation, each started by the command that the compose file runs."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "council_site.settings",
            "SITE_PROFILE": "local",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "RUN_ENGINE": "celery",
            "RUN_LEASE_TTL_S": "2",
            "RUN_HEARTBEAT_S": "0.5",
            "ENV_FILE": os.devnull,
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.site = f"http://127.0.0.1:{self.port}"

    def run(self, *command: str) -> str:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=self.env, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    @contextlib.contextmanager
    def web(self) -> Iterator[None]:
        with self._process("manage.py", "serve", "--port", str(self.port)):
            _until(self._answers, "the web process answers")
            yield

    @contextlib.contextmanager
    def worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        command = ("-m", "celery", "-A", "council_site", "worker", "-P", "threads", "-c", "20", "-n", f"{name}@%h", "-l", "warning")
        with self._process(*command) as process:
            yield process

    @contextlib.contextmanager
    def _process(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self.env)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.site}/api/v1/councils/").status_code == 401
        except httpx.TransportError:
            return False


def _until(holds: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    server = os.environ["TEST_DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS council_stack WITH (FORCE)")
        admin.execute("CREATE DATABASE council_stack")
        stack = Stack(f"{server}/council_stack", os.environ["TEST_REDIS_URL"].rpartition("/")[0] + "/7")
        stack.run("manage.py", "migrate", "-v0", "--no-input")
        with stack.web():
            yield stack
        admin.execute("DROP DATABASE council_stack WITH (FORCE)")


@pytest.fixture(scope="module")
def access(stack: Stack, fake_provider: Running) -> dict[str, str]:
    found: dict[str, str] = json.loads(stack.run("-c", STAGE, fake_provider.url))
    return found


def start_run(stack: Stack, access: dict[str, str]) -> str:
    headers = {"Authorization": f"Bearer {access['key']}"}
    answer = httpx.post(f"{stack.site}/api/v1/runs/", headers=headers, json={"council": "stack", "question": "Which is best?"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def read_run(stack: Stack, access: dict[str, str], run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.site}/api/v1/runs/{run_id}/", headers={"Authorization": f"Bearer {access['key']}"}).json()
    return found


async def watch(stack: Stack, access: dict[str, str], run_id: str) -> tuple[list[dict[str, Any]], int]:
    """The events of a run until it has ended, and how many messages with new text came."""
    events, deltas = [], 0
    cookie = {"Cookie": f"sessionid={access['session']}"}
    address = stack.site.replace("http", "ws", 1) + "/ws/"
    async with asyncio.timeout(PATIENCE_S), websockets.connect(address, additional_headers=cookie, origin=Origin(stack.site)) as viewer:
        await viewer.send(json.dumps({"type": "subscribe", "run": run_id, "after": 0}))
        async for text in viewer:
            message = json.loads(text)
            deltas += message["type"] == "delta"
            if message["type"] == "event":
                events.append(message["event"])
                if events[-1]["type"] == "run_finished":
                    break
    return events, deltas


def test_a_worker_drives_a_run_that_the_api_started_and_a_viewer_watches_at_the_web_process(stack: Stack, access: dict[str, str]) -> None:
    with stack.worker("one"):
        run_id = start_run(stack, access)
        events, deltas = asyncio.run(watch(stack, access, run_id))

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["status"] == "succeeded"
    # The text came through Redis while it was written, not only with the results.
    assert deltas > 10


def test_a_run_whose_worker_is_killed_is_finished_by_another(stack: Stack, access: dict[str, str]) -> None:
    with stack.worker("doomed") as doomed:
        run_id = start_run(stack, access)
        _until(lambda: read_run(stack, access, run_id)["opinions"], "the worker has begun")
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    with stack.worker("heir"):
        _until(lambda: read_run(stack, access, run_id)["finished_at"], "the run ends")

    assert read_run(stack, access, run_id)["status"] == "succeeded"


def test_a_run_started_while_the_broker_has_lost_its_message_is_found(stack: Stack, access: dict[str, str]) -> None:
    run_id = start_run(stack, access)
    subprocess.run(["redis-cli", "-u", stack.env["REDIS_URL"], "flushdb"], check=True, stdout=subprocess.DEVNULL)
    with stack.worker("finder"):
        _until(lambda: read_run(stack, access, run_id)["finished_at"], "the run ends")

    assert read_run(stack, access, run_id)["status"] == "succeeded"
