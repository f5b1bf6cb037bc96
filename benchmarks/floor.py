"""The floor: what one run costs when nothing is done but the calls themselves.

One run is four opinions side by side, four reviews side by side and one synthesis, each a streamed answer of 100 tokens. Here they are
made with an asyncio protocol and parsed by hand, with no deadlines, errors or checks at all. Figures of the product mean something only
beside this one, taken in the same minute against the same server:

    python benchmarks/fake_provider.py --port 9100 &
    python benchmarks/floor.py --url http://127.0.0.1:9100 --runs 100 --parallel 20
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fake.behaviour import parse

# Three stages of 0.135 s to the first token and 100 tokens at 160 a second: a critical path of 2.28 s.
MODEL = "fake:tokens=100,rate=160,ttft=0.135"
STAGES = (4, 4, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured. Times in seconds; ``overhead_s`` is the time of a run beyond its critical path."""

    runs: int
    parallel: int
    critical_path_s: float
    overhead_median_s: float
    overhead_p95_s: float
    runs_per_s: float
    cpu_s_per_run: float


def critical_path_s(model: str = MODEL) -> float:
    """How long one run takes where nothing but the model takes time."""
    behaviour = parse(model)
    return len(STAGES) * (behaviour.ttft + (behaviour.tokens / behaviour.rate if behaviour.rate else 0.0))


class Call(asyncio.Protocol):
    """One connection that makes one call at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._text: list[str] = []
        self._done: asyncio.Future[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the server left"))

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            # Lengths of chunks and empty lines lie between the events.
            if not line.startswith(b"data: "):
                continue
            if line == b"data: [DONE]":
                if self._done is not None:
                    self._done.set_result("".join(self._text))
                return
            if choices := orjson.loads(line[6:])["choices"]:
                self._text.append(choices[0]["delta"].get("content") or "")

    async def ask(self, request: bytes) -> str:
        """The text of the answer to ``request``."""
        self._done = asyncio.get_running_loop().create_future()
        self._text = []
        self._rest = b""
        if self._transport is not None:
            self._transport.write(request)
        return await self._done

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Floor:
    """The runs, over connections that are kept."""

    def __init__(self, base_url: str, model: str) -> None:
        host, _, port = base_url.removeprefix("http://").rstrip("/").partition(":")
        self._host, self._port, self._model = host, int(port or 80), model
        self._idle: list[Call] = []

    async def run(self) -> float:
        """One run; the seconds that it took."""
        started = time.perf_counter()
        for stage, calls in enumerate(STAGES):
            await asyncio.gather(*(self._ask(f"stage {stage}, call {number}") for number in range(calls)))
        return time.perf_counter() - started

    async def _ask(self, prompt: str) -> str:
        call = self._idle.pop() if self._idle else await self._connect()
        text = await call.ask(self._request(prompt))
        self._idle.append(call)
        return text

    async def _connect(self) -> Call:
        _, call = await asyncio.get_running_loop().create_connection(Call, self._host, self._port)
        return call

    def _request(self, prompt: str) -> bytes:
        body = orjson.dumps({"model": self._model, "stream": True, "messages": [{"role": "user", "content": prompt}]})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self._host}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode("ascii") + body

    def close(self) -> None:
        for call in self._idle:
            call.close()


async def run_floor(base_url: str, runs: int, parallel: int, *, model: str = MODEL) -> Figures:
    """Make ``runs`` runs, ``parallel`` at a time, against the fake provider at ``base_url``, which should be another process."""
    floor = Floor(base_url, model)
    await floor.run()  # Connections and caches are not what is measured.
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        times = await at_a_time(parallel, [floor.run() for _ in range(runs)])
    finally:
        floor.close()
    return figures(times, parallel=parallel, model=model, wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)


async def at_a_time(parallel: int, runs: list[Coroutine[Any, Any, float]]) -> list[float]:
    """The results of ``runs``, of which ``parallel`` are under way at any time."""
    free = asyncio.Semaphore(parallel)

    async def one(run: Coroutine[Any, Any, float]) -> float:
        async with free:
            return await run

    return await asyncio.gather(*(one(run) for run in runs))


def figures(times: list[float], *, parallel: int, model: str, wall_s: float, cpu_s: float) -> Figures:
    """The figures of runs that took ``times``; for other implementations of the same run as well."""
    path = critical_path_s(model)
    over = sorted(taken - path for taken in times)
    return Figures(
        runs=len(times),
        parallel=parallel,
        critical_path_s=path,
        overhead_median_s=statistics.median(over),
        overhead_p95_s=over[min(len(over) - 1, int(len(over) * 0.95))],
        runs_per_s=len(times) / wall_s,
        cpu_s_per_run=cpu_s / len(times),
    )


def main() -> None:
    """Read the command line, measure, print one JSON object."""
    parser = argparse.ArgumentParser(description="What a run costs when nothing is done but its calls.")
    parser.add_argument("--url", default="http://127.0.0.1:9100")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--model", default=MODEL)
    arguments = parser.parse_args()
    measured = asyncio.run(run_floor(arguments.url, arguments.runs, arguments.parallel, model=arguments.model))
    print(orjson.dumps(measured, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
