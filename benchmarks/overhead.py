"""What a council costs beside the models' own time: the whole path, the engine alone and a plain floor, in one run.

    python -m benchmarks.overhead --parallel 1 20 100 300

One run is 4 opinions at once, 4 reviews, 1 synthesis, 100 tokens each: 900 tokens. The critical path is three times (time to first token
+ 99 tokens at the model's rate). Overhead is what a run takes beyond that, the median of all runs. ``whole`` is a real ``manage.py serve``
on SQLite: POST to the API, store, ledger, events, and a viewer on a socket for every run; its time runs from before the POST to the
viewer's ``run_finished``. CPU and memory are the server process's own. ``engine`` has no store, no Django and no viewer. ``floor`` is
hand-written asyncio. Compare within one output only: the machine's mood differs from run to run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import websockets

from benchmarks.engine_alone import run_engine
from benchmarks.floor import run_floor
from councils.providers.client import aclose

ROOT = Path(__file__).resolve().parent.parent
TOKENS, RATE, TTFT = 100, 152.0, 0.1
MODEL = f"fake:tokens={TOKENS},rate={RATE:g},ttft={TTFT:g}"
CRITICAL_S = 3 * (TTFT + (TOKENS - 1) / RATE)
STAGE = """
import django, json, sys
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from benchmarks.staging import fake_model, stage_council
from councils.models import ApiKey, User
user = User.objects.create(username="bench")
stage_council([fake_model(sys.argv[1], sys.argv[2], max_output_tokens=None)] * 4, slug="bench")
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session.create()
print(json.dumps({"key": ApiKey.issue(user=user, name="bench")[1], "session": session.session_key}))
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one system at one load: milliseconds of overhead (median, worst), runs a second, CPU seconds a run, peak MB."""

    system: str
    parallel: int
    overhead_ms: float
    worst_ms: float
    runs_per_s: float
    cpu_s: float
    memory_mb: float

    def row(self) -> str:
        return (
            f"{self.system:8} {self.parallel:5} {self.overhead_ms:10.0f} {self.worst_ms:9.0f} {self.runs_per_s:9.1f} "
            f"{self.cpu_s:10.3f} {self.memory_mb:8.0f}"
        )


def figures(system: str, durations: list[float], wall_s: float, cpu_s: float, memory_mb: float) -> Figures:
    beyond = [(seconds - CRITICAL_S) * 1000 for seconds in durations]
    n = len(durations)
    return Figures(system, n, statistics.median(beyond), max(beyond), n / wall_s, cpu_s / n, memory_mb)


@contextlib.contextmanager
def child(*command: str, env: dict[str, str] | None = None, ready: str) -> Iterator[tuple[psutil.Process, str]]:
    """Run a server and wait for its line that contains ``ready``; ends it at the end."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout or ():
            if ready in line:
                break
        else:
            raise RuntimeError(f"{command} ended before it was ready")
        yield psutil.Process(process.pid), line
    finally:
        process.terminate()
        process.wait()


async def floor(base_url: str, parallel: int) -> Figures:
    cpu, wall = time.process_time(), time.perf_counter()
    durations = await run_floor(base_url, MODEL, parallel=parallel)
    return figures("floor", durations, time.perf_counter() - wall, time.process_time() - cpu, _own_memory())


async def engine(base_url: str, parallel: int) -> Figures:
    cpu, wall = time.process_time(), time.perf_counter()
    durations = await run_engine(base_url, MODEL, parallel=parallel)
    return figures("engine", durations, time.perf_counter() - wall, time.process_time() - cpu, _own_memory())


def _own_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def whole(server: psutil.Process, site: str, access: dict[str, str], parallel: int) -> Figures:
    before = _cpu(server)
    peak = asyncio.create_task(_peak_memory(server))
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(base_url=site, headers={"Authorization": f"Bearer {access['key']}"}, limits=limits, timeout=60) as api:
        wall = time.perf_counter()
        durations = await asyncio.gather(*(_one_run(api, site, access["session"], n) for n in range(parallel)))
        took = time.perf_counter() - wall
    peak.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await peak
    return figures("whole", list(durations), took, _cpu(server) - before, _PEAK[server.pid])


async def _one_run(api: httpx.AsyncClient, site: str, session: str, number: int) -> float:
    started = time.perf_counter()
    answer = await api.post("/api/v1/runs/", json={"council": "bench", "question": f"How should we price plan {number}?"})
    answer.raise_for_status()
    run_id = answer.json()["id"]
    async for message in _watch(site, session, run_id):
        event = message.get("event") or {}
        if event.get("type") == "run_finished":
            if event["status"] != "succeeded":
                raise RuntimeError(event["reason"])
            return time.perf_counter() - started
    raise RuntimeError("the socket closed before the run ended")


async def _watch(site: str, session: str, run_id: str) -> AsyncIterator[dict[str, Any]]:
    address = site.replace("http", "ws", 1) + "/ws/"
    async with websockets.connect(address, additional_headers={"Cookie": f"sessionid={session}"}, origin=site, open_timeout=60) as socket:
        await socket.send(json.dumps({"type": "subscribe", "run": run_id, "after": 0}))
        async for text in socket:
            yield json.loads(text)


_PEAK: dict[int, float] = {}


async def _peak_memory(server: psutil.Process) -> None:
    _PEAK[server.pid] = 0.0
    while True:
        _PEAK[server.pid] = max(_PEAK[server.pid], server.memory_info().rss / 2**20)
        await asyncio.sleep(0.1)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def measure(base_url: str, server: psutil.Process, site: str, access: dict[str, str], loads: list[int], rounds: int) -> None:
    print(f"critical path {CRITICAL_S:.2f} s\nsystem    runs  overhead_ms  worst_ms  runs_per_s  cpu_s_run  peak_mb")
    for system in (floor(base_url, 5), engine(base_url, 5), whole(server, site, access, 5)):
        await system  # warm up: connections, caches, imports
    for parallel in loads:
        for _ in range(rounds):
            for system in (floor(base_url, parallel), engine(base_url, parallel), whole(server, site, access, parallel)):
                print((await system).row(), flush=True)
    await aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of a council; see the docstring of this file.")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 20, 100, 300])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--port", type=int, default=8971)
    arguments = parser.parse_args()
    python = sys.executable
    with (
        tempfile.TemporaryDirectory() as folder,
        child(python, "benchmarks/fake_provider.py", "--port", "0", ready="listening") as (_, line),
    ):
        base_url = line.split()[-1]
        env = {
            "SITE_PROFILE": "local",
            "DATABASE_URL": os.environ.get("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3"),
            "DJANGO_SETTINGS_MODULE": "council_site.settings",
            "LOG_LEVEL": "WARNING",
        }
        subprocess.run([python, "manage.py", "migrate", "-v0"], cwd=ROOT, env={**os.environ, **env}, check=True)
        staged = subprocess.run(
            [python, "-c", STAGE, base_url, MODEL.removeprefix("fake:")],
            cwd=ROOT,
            env={**os.environ, **env},
            check=True,
            capture_output=True,
            text=True,
        )
        site = f"http://127.0.0.1:{arguments.port}"
        with child(python, "manage.py", "serve", "--port", str(arguments.port), env=env, ready="Listening") as (server, _):
            asyncio.run(measure(base_url, server, site, json.loads(staged.stdout), arguments.parallel, arguments.rounds))


if __name__ == "__main__":
    main()
