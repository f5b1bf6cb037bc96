"""The same load on every kind of installation: embedded, and the full stack with one worker and with two.

    python -m benchmarks.scaling --parallel 1 20 100 --starts 50

For each load, runs a second and CPU seconds a run, with a viewer for every run: of the web process, of the workers, and of PostgreSQL and
Redis. *Refused* questions got 503 and were sent again. The floor is measured beside each. *Start* is the time from before the POST to when
the fake provider has the whole first request of that run, by the provider's log and the one clock of this machine, while nothing else is
asked. The installations are made one after the other, with a PostgreSQL and a Redis of the benchmark's own, and with the settings as they
are shipped.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import psutil
import psycopg
import redis

from benchmarks.chaos.services import Ground, PostgresServer, RedisServer
from benchmarks.floor import Figures, critical_path_s, run_floor
from benchmarks.overhead import Site, cpu_s, one_run, served_site, whole

# Nobody reaches these limits, but they are asked for, as everywhere.
NO_HURRY = {f"RATE_LIMIT_{name}": "1000000" for name in ("REQUESTS", "BURST", "READ_REQUESTS", "READ_BURST")}
PAUSE_S = 0.3


@dataclass(frozen=True, slots=True)
class Installation:
    """``database`` is a name in our PostgreSQL; without one it is SQLite."""

    name: str
    database: str = ""
    workers: int = 0

    def environment(self, ground: Ground) -> dict[str, str]:
        """What its processes are started with."""
        env = {**NO_HURRY, "REDIS_URL": "", "RUN_ENGINE": "embedded"}
        if self.database:
            env["DATABASE_URL"] = _make_database(ground.postgres.url, self.database)
        if self.workers:
            env |= {"REDIS_URL": ground.redis.url, "RUN_ENGINE": "celery"}
        return env


INSTALLATIONS: Mapping[str, Installation] = {
    "sqlite": Installation("embedded, SQLite"),
    "postgres": Installation("embedded, PostgreSQL", "embedded"),
    "1": Installation("PostgreSQL, Redis, 1 worker", "one", 1),
    "2": Installation("PostgreSQL, Redis, 2 workers", "two", 2),
}


def _make_database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return url.rpartition("/")[0] + f"/{name}"


def services_cpu_s(ground: Ground) -> Callable[[], float]:
    """What reads the CPU seconds of PostgreSQL, its ended connections among them, and of Redis."""
    postmaster = psutil.Process(int((ground.folder / "postgres" / "postmaster.pid").read_text().split()[0]))
    with redis.Redis.from_url(ground.redis.url) as client:
        cache = psutil.Process(client.info()["process_id"])

    def read() -> float:
        ended = postmaster.cpu_times()
        return sum(map(cpu_s, [cache, *postmaster.children()])) + ended.children_user + ended.children_system

    return read


def row(system: str, of: Figures, *parts: float) -> str:
    cpu = " ".join(f"{part / of.runs:8.3f}" if part else " " * 8 for part in parts)
    took = f"{of.overhead_median_s * 1000:9.0f} {of.overhead_p95_s * 1000:8.0f} {of.runs_per_s:7.1f}"
    return f"{system:29} {of.parallel:5} {took} {of.cpu_s_per_run:8.3f} {cpu}"


async def load(name: str, base_url: str, site: Site, services: Callable[[], float], parallel: int) -> None:
    """The floor and the installation under this load."""
    print(row("floor", await run_floor(base_url, parallel, parallel)), flush=True)
    before, stood = [cpu_s(process) for process in site.processes], services()
    done = await whole(site, parallel)
    web, *workers = (cpu_s(process) - was for process, was in zip(site.processes, before, strict=True))
    print(row(name, done, web, sum(workers), services() - stood), f"{site.peak_mb:8.0f} {site.refused:8}", flush=True)


async def starts(site: Site, count: int) -> list[float]:
    """How long each of so many runs, one after the other, took to its first call; in order of length."""
    posted = []
    async with httpx.AsyncClient(base_url=site.url, headers={"Authorization": f"Bearer {site.key}"}, timeout=60) as api:
        for number in range(count):
            posted.append(time.time())
            await one_run(api, site, f"start {number}", council="quick")
            await asyncio.sleep(PAUSE_S)
    asked = sorted(float(orjson.loads(line)["asked"]) for line in site.calls.read_bytes().splitlines())
    return sorted(next(at for at in asked if at > began) - began for began in posted)


async def measure(installation: Installation, base_url: str, site: Site, ground: Ground, arguments: argparse.Namespace) -> None:
    services = services_cpu_s(ground)
    for _ in range(2):  # Connections, caches, imports: not what is measured.
        await whole(site, 5)
    for parallel in arguments.parallel:
        await load(installation.name, base_url, site, services, parallel)
    if arguments.starts:
        took = await starts(site, arguments.starts)
        p95 = statistics.quantiles(took, n=20, method="inclusive")[-1]
        print(f"{installation.name:29} start: p50 {1000 * statistics.median(took):.0f} ms, p95 {1000 * p95:.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="One load on every kind of installation; see the docstring of this file.")
    parser.add_argument("--parallel", type=int, nargs="*", default=[1, 20, 100])
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--port", type=int, default=8974)
    parser.add_argument("--only", nargs="+", choices=INSTALLATIONS, default=list(INSTALLATIONS))
    arguments = parser.parse_args()
    # Whoever is told to stop still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"load {os.getloadavg()[0]:.1f}, critical path {critical_path_s():.2f} s; CPU in seconds a run, overhead in ms")
    print(
        f"{'':29} {'runs':>5} {'overhead':>9} {'p95':>8} {'runs/s':>7} {'CPU':>8} {'web':>8} {'workers':>8} {'services':>8} {'peak MB':>8}"
    )
    with tempfile.TemporaryDirectory(prefix="council-scaling-") as name, ExitStack() as ends:
        folder = Path(name)
        # PostgreSQL runs as a user of its own and must get in.
        folder.chmod(0o755)
        ground = Ground(folder, PostgresServer(folder / "postgres"), RedisServer(folder))
        for server in (ground.postgres, ground.redis):
            ends.callback(server.close)
            server.start()
        for installation in (INSTALLATIONS[which] for which in arguments.only):
            environment = installation.environment(ground)
            with served_site(arguments.port, environment=environment, workers=installation.workers) as (base_url, site):
                asyncio.run(measure(installation, base_url, site, ground, arguments))


if __name__ == "__main__":
    main()
