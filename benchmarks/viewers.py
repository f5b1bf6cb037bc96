"""What viewers cost the web process while a worker writes, with Redis between the two.

    python -m benchmarks.viewers --idle 1000 --seconds 30 --crowd 1 100

``idle``: so many tabs, each with its session and user, on a run that has ended and then on one that lives and says nothing; memory per
socket, and how many were dropped meanwhile. ``crowd``: so many tabs on one run that writes, some times in turn; CPU of the web process per
message delivered, and how long after its commit an event came (by the one clock of this machine). Starts a PostgreSQL, a Redis, a web
process and a worker of its own.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import httpx
import psutil
import websockets
from websockets.typing import Origin

from benchmarks.chaos.__main__ import environment
from benchmarks.chaos.services import Ground, PostgresServer, RedisServer, wait_until

COUNCIL = "viewers"
SHORT_COUNCIL = "chaos"
# Long enough for a hundred tabs to open while the first members write.
SEAT = "tokens=400,rate=40,name=slow{}"
SILENT_COUNCIL = "silent"
SILENT_SEAT = "tokens=4,ttft=150,name=silent{}"
AT_ONCE = 25
SETTLE_S = 3.0


@dataclass(slots=True)
class Site:
    """The ways in, and the web process."""

    url: str
    key: str
    cookie: str
    web: psutil.Process

    def cpu_s(self) -> float:
        times = self.web.cpu_times()
        return times.user + times.system

    def memory_kb(self) -> float:
        return self.web.memory_info().rss / 1024

    def open(self) -> Any:
        address, headers = self.url.replace("http", "ws", 1) + "/ws/", {"Cookie": self.cookie}
        return websockets.connect(address, additional_headers=headers, origin=Origin(self.url), open_timeout=60, ping_interval=None)

    async def ask(self, council: str = COUNCIL) -> str:
        async with httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60) as api:
            answer = await api.post("/api/v1/runs/", json={"council": council, "question": f"Which is best of {time.time_ns()}?"})
            answer.raise_for_status()
            return str(answer.json()["id"])


async def subscribe(site: Site, stack: AsyncExitStack, run_id: str, gate: asyncio.Semaphore) -> Any:
    async with gate:
        socket = await stack.enter_async_context(site.open())
        await socket.send(json.dumps({"type": "subscribe", "run": run_id, "after": 0}))
        await socket.recv()
        return socket


async def finish(socket: Any, late_s: list[float]) -> int:
    """Listen to the end of the run; the number of messages."""
    messages = 0
    from_now = time.time()
    async for text in socket:
        messages += 1
        message = json.loads(text)
        if message["type"] == "event":
            at = datetime.fromisoformat(message["event"]["at"]).timestamp()
            if at > from_now:
                late_s.append(time.time() - at)
            if message["event"]["type"] == "run_finished":
                return messages
    raise RuntimeError("the socket closed before the run ended")


async def listen(socket: Any) -> None:
    """Take whatever comes, as a browser does. Who does not, answers no ping either, and takes ten seconds to leave."""
    async for _ in socket:
        pass


async def finished(site: Site) -> str:
    """A run that has ended."""
    run_id = await site.ask(SHORT_COUNCIL)
    async with AsyncExitStack() as stack:
        await finish(await subscribe(site, stack, run_id, asyncio.Semaphore()), [])
    return run_id


async def idle(site: Site, what: str, run_id: str, count: int, seconds: float) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:

        async def tab() -> asyncio.Task[None]:
            return group.create_task(listen(await subscribe(site, stack, run_id, gate)))

        # Threads, caches and imports that the first sockets bring are not the price of the others.
        first = await asyncio.gather(*(tab() for _ in range(AT_ONCE)))
        before, began = site.memory_kb(), time.monotonic()
        tabs = await asyncio.gather(*(tab() for _ in range(count)))
        opened_s = time.monotonic() - began
        await asyncio.sleep(SETTLE_S)
        grown, cpu = site.memory_kb() - before, site.cpu_s()
        await asyncio.sleep(seconds)
        dropped = sum(task.done() for task in tabs)
        used = site.cpu_s() - cpu
        for task in [*first, *tabs]:
            task.cancel()
    print(
        f"idle, {what}: {count} viewers came in {opened_s:.1f} s, {grown / count:.1f} KB each, {dropped} dropped in {seconds:g} s, "
        f"{used:.2f} s of CPU meanwhile",
        flush=True,
    )


async def crowd(site: Site, count: int, rounds: int) -> None:
    late_s: list[float] = []
    messages, used = 0, 0.0
    for _ in range(rounds):
        async with AsyncExitStack() as stack:
            gate, run_id = asyncio.Semaphore(AT_ONCE), await site.ask()
            sockets = await asyncio.gather(*(subscribe(site, stack, run_id, gate) for _ in range(count)))
            cpu = site.cpu_s()
            messages += sum(await asyncio.gather(*(finish(socket, late_s) for socket in sockets)))
            used += site.cpu_s() - cpu
    late = sorted(late_s)
    if not late:
        raise RuntimeError(f"the run had ended before {count} viewers were there")
    p50, p95 = (round(1000 * late[int(part * (len(late) - 1))]) for part in (0.5, 0.95))
    print(
        f"crowd: {count} viewers of one run, {messages} messages, {1e6 * used / messages:.0f} µs of CPU each; "
        f"{len(late)} events, p50 {p50} ms, p95 {p95} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="What viewers cost; see the docstring of this file.")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--crowd", type=int, nargs="*", default=[1, 100])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    # Whoever is told to stop still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="council-viewers-") as name, ExitStack() as ends:
        folder = Path(name)
        folder.chmod(0o755)
        ground = Ground(folder, PostgresServer(folder / "postgres"), RedisServer(folder))
        for server in (ground.postgres, ground.redis):
            ends.callback(server.close)
            server.start()
        os.environ.update(environment(ground))
        django.setup()
        stack = ends.enter_context(import_module("benchmarks.chaos.stack").standing(ground, workers=1))
        staging, models = import_module("benchmarks.staging"), import_module("councils.models")
        fake = models.Provider.objects.get().base_url.removesuffix("/v1")
        staging.stage_council([staging.fake_model(fake, SEAT.format(number)) for number in range(3)], slug=COUNCIL)
        silent = [staging.fake_model(fake, SILENT_SEAT.format(number)) for number in range(3)]
        staging.stage_council(silent, slug=SILENT_COUNCIL, soft_deadline_s=0)
        [web] = (child for child in psutil.Process().children() if str(stack.web.port) in child.cmdline())
        site = Site(stack.site, stack.key, stack.cookie, web)
        warm = asyncio.run(site.ask())
        wait_until(models.CouncilRun.objects.get(public_id=warm).steps.exists, "the worker works", patience_s=60)
        for count in arguments.crowd:
            asyncio.run(crowd(site, count, arguments.rounds))
        if arguments.idle:
            asyncio.run(idle(site, "ended run", asyncio.run(finished(site)), arguments.idle, arguments.seconds))
            asyncio.run(idle(site, "silent run", asyncio.run(site.ask(SILENT_COUNCIL)), arguments.idle, arguments.seconds))


if __name__ == "__main__":
    main()
