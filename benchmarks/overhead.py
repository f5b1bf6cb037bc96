"""What a council costs beside the models' own time: the whole path, the engine alone and a plain floor, in one run.

    python -m benchmarks.overhead --parallel 1 20 100 300

One run is 4 opinions at once, 4 reviews, 1 synthesis, 100 tokens each: 900 tokens. The critical path is three times (time to first token
+ 100 tokens at the model's rate). Overhead is what a run takes beyond that, the median of all runs. ``whole`` is a real ``manage.py serve``
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
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import websockets
from websockets.typing import Origin

from benchmarks.engine_alone import run_engine
from benchmarks.floor import MODEL, Figures, critical_path_s, figures, run_floor
from councils.providers.client import aclose

BUSY = 503
ROOT = Path(__file__).resolve().parent.parent
STAGE = """
import django, json, sys
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from benchmarks.staging import fake_model, stage_council
from councils.models import ApiKey, User
user = User.objects.create(username="bench")
stage_council([fake_model(sys.argv[1], sys.argv[2], max_output_tokens=None)] * 4, slug="bench")
stage_council([fake_model(sys.argv[1], "tokens=8", max_output_tokens=None)] * 4, slug="quick")
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session.create()
print(json.dumps({"key": ApiKey.issue(user=user, name="bench")[1], "session": session.session_key}))
"""


@dataclass(slots=True)
class Site:
    """A served site and the ways in. ``calls`` is the log of its fake provider.

    ``processes`` are the web server and, if there are any, the workers. ``peak_mb`` is their memory's peak since it was last set to zero.
    ``refused`` counts the questions that were sent again because the database was too busy.
    """

    url: str
    processes: Sequence[psutil.Process]
    calls: Path
    key: str
    session: str
    peak_mb: float = 0.0
    refused: int = 0

    def cpu_s(self) -> float:
        return sum(cpu_s(process) for process in self.processes)

    async def watch_memory(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, sum(process.memory_info().rss for process in self.processes) / 2**20)
            await asyncio.sleep(0.05)


def cpu_s(process: psutil.Process) -> float:
    """Seconds of CPU that this process has used."""
    times = process.cpu_times()
    return times.user + times.system


def row(system: str, of: Figures, memory_mb: float) -> str:
    return (
        f"{system:8} {of.parallel:5} {of.overhead_median_s * 1000:10.0f} {of.overhead_p95_s * 1000:9.0f} {of.runs_per_s:9.1f} "
        f"{of.cpu_s_per_run:10.3f} {memory_mb:8.0f}"
    )


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


async def floor(base_url: str, parallel: int) -> str:
    return row("floor", await run_floor(base_url, parallel, parallel), _own_memory())


async def engine(base_url: str, parallel: int) -> str:
    cpu, wall = time.process_time(), time.perf_counter()
    times = await run_engine(base_url, MODEL, parallel=parallel)
    took, spent = time.perf_counter() - wall, time.process_time() - cpu
    return row("engine", figures(times, parallel=parallel, model=MODEL, wall_s=took, cpu_s=spent), _own_memory())


def _own_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def whole(site: Site, parallel: int) -> Figures:
    """So many runs that are asked for at the same moment, each with a viewer."""
    before, site.peak_mb, site.refused = site.cpu_s(), 0.0, 0
    watch = asyncio.create_task(site.watch_memory())
    async with httpx.AsyncClient(base_url=site.url, headers={"Authorization": f"Bearer {site.key}"}, timeout=60) as api:
        wall = time.perf_counter()
        times = await asyncio.gather(*(one_run(api, site, f"plan {number}") for number in range(parallel)))
        took = time.perf_counter() - wall
    watch.cancel()
    spent = site.cpu_s() - before
    return figures(times, parallel=parallel, model=MODEL, wall_s=took, cpu_s=spent)


async def one_run(api: httpx.AsyncClient, site: Site, what: str, *, council: str = "bench") -> float:
    """Ask and watch; the seconds from before the POST to the end. The question is a new one."""
    started = time.perf_counter()
    question = {"council": council, "question": f"How should we price {what} of {time.time_ns()}?"}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    # A database that is too busy says so after a while. Clients may then send the same again.
    while (answer := await api.post("/api/v1/runs/", json=question, headers=key)).status_code == BUSY:
        site.refused += 1
    answer.raise_for_status()
    async for message in _watch_until_open(site, answer.json()["id"]):
        event = message.get("event") or {}
        if event.get("type") == "run_finished":
            if event["status"] != "succeeded":
                raise RuntimeError(event["reason"])
            return time.perf_counter() - started
    raise RuntimeError("the socket closed before the run ended")


async def _watch_until_open(site: Site, run_id: str) -> AsyncIterator[dict[str, Any]]:
    """Like the page's own client, which tries again when a socket does not open under load."""
    while True:
        try:
            async for message in _watch(site, run_id):
                yield message
        except websockets.WebSocketException:
            await asyncio.sleep(0.5)


async def _watch(site: Site, run_id: str) -> AsyncIterator[dict[str, Any]]:
    address, cookie = site.url.replace("http", "ws", 1) + "/ws/", {"Cookie": f"sessionid={site.session}"}
    async with websockets.connect(address, additional_headers=cookie, origin=Origin(site.url), open_timeout=60) as socket:
        await socket.send(json.dumps({"type": "subscribe", "run": run_id, "after": 0}))
        async for text in socket:
            yield json.loads(text)


async def measure(base_url: str, site: Site, loads: list[int], rounds: int) -> None:
    print(f"critical path {critical_path_s():.2f} s\nsystem    runs  overhead_ms   p95_ms  runs_per_s  cpu_s_run  peak_mb")
    for _ in range(2):  # Connections, caches, imports: not what is measured.
        await engine(base_url, 5)
        await whole(site, 5)
    for parallel in loads:
        for _ in range(rounds):
            print(await floor(base_url, parallel), flush=True)
            print(await engine(base_url, parallel), flush=True)
            print(row("whole", await whole(site, parallel), site.peak_mb), flush=True)
    await aclose()


@contextlib.contextmanager
def served_site(port: int, *, environment: Mapping[str, str] | None = None, workers: int = 0) -> Iterator[tuple[str, Site]]:
    """A site of its own beside a fake provider, and that provider's address. The cache is on; one visitor may ask as often as wanted.

    ``environment`` comes before all that is said here; with ``workers`` it must name PostgreSQL and Redis.
    """
    python = sys.executable
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        calls = folder / "calls.jsonl"
        calls.touch()
        provider = [python, "benchmarks/fake_provider.py", "--port", "0", "--log", str(calls)]
        _, line = ends.enter_context(child(*provider, ready="listening"))
        base_url = line.split()[-1]
        env = {
            "SITE_PROFILE": "local",
            "DATABASE_URL": os.environ.get("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3"),
            "DJANGO_SETTINGS_MODULE": "council_site.settings",
            "LOG_LEVEL": "WARNING",
            "ENABLE_CACHE": "true",
            "RATE_LIMIT_REQUESTS": "0",
            "RATE_LIMIT_READ_REQUESTS": "0",
            **(environment or {}),
        }
        subprocess.run([python, "manage.py", "migrate", "-v0"], cwd=ROOT, env={**os.environ, **env}, check=True)
        stage = [python, "-c", STAGE, base_url, MODEL.removeprefix("fake:")]
        staged = subprocess.run(stage, cwd=ROOT, env={**os.environ, **env}, check=True, stdout=subprocess.PIPE)
        server, _ = ends.enter_context(child(python, "manage.py", "serve", "--port", str(port), env=env, ready="Listening"))
        crew = [ends.enter_context(_worker(number, folder, env)) for number in range(workers)]
        if crew:
            _wait_for_workers(workers, env)
        yield base_url, Site(f"http://127.0.0.1:{port}", [server, *crew], calls, **json.loads(staged.stdout))


@contextlib.contextmanager
def _worker(number: int, folder: Path, env: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A Celery worker as the compose file starts it."""
    pool = ["--pool", "threads", "--concurrency", "200", "--loglevel", "INFO", "--hostname", f"worker{number}@%h"]
    with (folder / f"worker{number}.log").open("wb") as log:
        command = [sys.executable, "-m", "celery", "--app", "council_site", "worker", *pool]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for_workers(count: int, env: Mapping[str, str]) -> None:
    ping = [sys.executable, "-m", "celery", "--app", "council_site", "inspect", "ping", "--timeout", "2"]
    for _ in range(30):
        if f"{count} node" in subprocess.run(ping, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False).stdout:
            return
    raise TimeoutError("the workers do not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of a council; see the docstring of this file.")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 20, 100, 300])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--port", type=int, default=8971)
    arguments = parser.parse_args()
    with served_site(arguments.port) as (base_url, site):
        # No question comes twice, so the cache is looked into and holds nothing.
        asyncio.run(measure(base_url, site, arguments.parallel, arguments.rounds))


if __name__ == "__main__":
    main()
