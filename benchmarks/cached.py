"""What a question costs in time that was asked the same way before, beside the first time.

    python -m benchmarks.cached --first 10 --repeated 200

A real ``manage.py serve`` on SQLite with the cache on, one visitor, one question at a time. ``run`` is the time from before the POST to the
viewer's ``run_finished``, on a socket that is open already. ``record`` is the GET that returns the whole record of that run. ``answer`` is
the GET of a record that is there: what a program waits for that asks again for an answer that it has the address of.

The first time every question is a new one, and its models take their time; the repeated question is always the same. Its run still claims,
books nine calls in the ledger, counts the votes and writes every event, each commit forced to disk: that, not the look into the cache,
is its time.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

import httpx
import websockets
from websockets.typing import Origin

from benchmarks.floor import critical_path_s
from benchmarks.overhead import Site, served_site

REPEATED = "Which is the best plan for everybody?"


async def one(api: httpx.AsyncClient, site: Site, question: str) -> tuple[float, float, dict[str, Any]]:
    """Ask, and follow to the end: seconds of the run, seconds of reading its record, the record."""
    address, cookie = site.url.replace("http", "ws", 1) + "/ws/", {"Cookie": f"sessionid={site.session}"}
    async with websockets.connect(address, additional_headers=cookie, origin=Origin(site.url), open_timeout=60) as socket:
        started = time.perf_counter()
        answer = await api.post("/api/v1/runs/", json={"council": "bench", "question": question})
        answer.raise_for_status()
        await socket.send(json.dumps({"type": "subscribe", "run": answer.json()["id"], "after": 0}))
        async for text in socket:
            if (json.loads(text).get("event") or {}).get("type") == "run_finished":
                break
        took = time.perf_counter() - started
    started = time.perf_counter()
    record = await api.get(answer.headers["Location"])
    read = time.perf_counter() - started
    return took, read, record.json()


def row(name: str, seconds: Sequence[float]) -> str:
    last = quantiles(seconds, n=100, method="inclusive")[98]
    return f"{name:22} {len(seconds):5} {median(seconds) * 1000:9.1f} {last * 1000:9.1f}"


def calls_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    steps = [*record["opinions"], *record["reviews"], record["synthesis"]]
    return [call for step in steps for call in step["calls"]]


async def measure(site: Site, first: int, repeated: int) -> None:
    async with httpx.AsyncClient(base_url=site.url, headers={"Authorization": f"Bearer {site.key}"}, timeout=60) as api:
        for number in range(2):  # Connections, caches, imports: not what is measured.
            await one(api, site, f"Warm {number}?")
        fresh = [await one(api, site, f"Which is the best plan for {number}?") for number in range(first)]
        await one(api, site, REPEATED)
        again = [await one(api, site, REPEATED) for _ in range(repeated)]
        if not all(call["cached"] for _, _, record in again for call in calls_of(record)):
            raise RuntimeError("a call of a repeated question was not answered from the cache")
        cost = sum(float(record["totals"]["cost_usd"]) for _, _, record in again)
        answers = []
        for _ in range(repeated):
            started = time.perf_counter()
            (await api.get(again[-1][2]["url"])).raise_for_status()
            answers.append(time.perf_counter() - started)
    print(f"models' own time {critical_path_s():.2f} s; the repeated questions cost {cost:g} USD")
    print("what                      n    p50_ms    p99_ms")
    for name, runs in (("first", fresh), ("repeated", again)):
        print(row(f"{name}: run", [took for took, _, _ in runs]))
        print(row(f"{name}: record", [read for _, read, _ in runs]))
    print(row("answer", answers))


def main() -> None:
    parser = argparse.ArgumentParser(description="Repeated questions; see the docstring of this file.")
    parser.add_argument("--first", type=int, default=10)
    parser.add_argument("--repeated", type=int, default=200)
    parser.add_argument("--port", type=int, default=8973)
    arguments = parser.parse_args()
    with served_site(arguments.port) as (_, site):
        asyncio.run(measure(site, arguments.first, arguments.repeated))


if __name__ == "__main__":
    main()
