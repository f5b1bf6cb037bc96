"""Those who ask, watch and look while something breaks: they come through the site's own doors and write down what they met."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import websockets
from websockets.typing import Origin

from benchmarks.audit import Audit
from benchmarks.chaos.stack import COUNCIL, Stack

END_PATIENCE_S = 120.0
LOOK_EVERY_S = 0.5
COME_BACK_S = 0.5
PAGES = ("/", "/conversations/", "/api/v1/runs/", "/api/v1/councils/")
OK = 200
ACCEPTED = 202


@dataclass(slots=True)
class Viewer:
    """One tab on one run. ``late_s`` has for each event how long after its commit it came, by the one clock of this machine.

    Only events that a tab could have seen at once count there: those that were committed after its socket had its snapshot.
    """

    run_id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    texts: int = 0
    returns: int = -1
    faults: list[str] = field(default_factory=list)

    @property
    def seq(self) -> int:
        return int(self.events[-1]["seq"]) if self.events else 0

    @property
    def done(self) -> bool:
        return bool(self.events) and self.events[-1]["type"] == "run_finished"

    async def watch(self, site: str, cookie: str) -> None:
        """Follow the run to its end; come back like the page does whenever the socket breaks."""
        address, headers = site.replace("http", "ws", 1) + "/ws/", {"Cookie": cookie}
        while not self.done:
            self.returns += 1
            try:
                async with websockets.connect(address, additional_headers=headers, origin=Origin(site), open_timeout=30) as socket:
                    await socket.send(json.dumps({"type": "subscribe", "run": self.run_id, "after": self.seq}))
                    await self._hear(socket)
            except (websockets.WebSocketException, OSError, TimeoutError):
                await asyncio.sleep(COME_BACK_S)

    async def _hear(self, socket: websockets.ClientConnection) -> None:
        there_since = float("inf")
        async for text in socket:
            message = json.loads(text)
            self.texts += message["type"] == "delta"
            if message["type"] == "snapshot":
                there_since = time.time()
            elif message["type"] == "event":
                self._take(message["event"], there_since)
                if self.done:
                    return

    def _take(self, event: dict[str, Any], there_since: float) -> None:
        if event["seq"] != self.seq + 1:
            self.faults.append(f"run {self.run_id}: event {event['seq']} came after {self.seq}")
        self.events.append(event)
        at = datetime.fromisoformat(event["at"]).timestamp()
        if at >= there_since:
            self.late_s.append(time.time() - at)


@dataclass(slots=True)
class Crowd:
    """Asks ``runs`` questions, one every ``pace_s`` seconds, with a viewer for each, and looks at pages meanwhile."""

    stack: Stack
    runs: int
    pace_s: float
    viewers: list[Viewer] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    waited_s: dict[str, list[float]] = field(default_factory=dict)

    async def come(self) -> None:
        """Ask, watch and look until every run that was accepted has been seen to its end, or patience ends."""
        headers = {"Authorization": f"Bearer {self.stack.key}"}
        async with httpx.AsyncClient(base_url=self.stack.site, headers=headers, timeout=60) as client:
            looking = asyncio.create_task(self._look())
            watching = [asyncio.create_task(viewer.watch(self.stack.site, self.stack.cookie)) async for viewer in self._ask(client)]
            if watching:
                _, unfinished = await asyncio.wait(watching, timeout=END_PATIENCE_S)
                for task in unfinished:
                    task.cancel()
            looking.cancel()

    async def _ask(self, client: httpx.AsyncClient) -> Any:
        for number in range(self.runs):
            with self._timed("question"):
                key = {"Idempotency-Key": f"chaos-{number}-{time.time_ns()}"}
                asked = {"council": COUNCIL, "question": f"Question {number}: which is best?"}
                answer = await client.post("/api/v1/runs/", json=asked, headers=key)
            self.answers[f"question {answer.status_code}"] += 1
            if answer.status_code == ACCEPTED:
                viewer = Viewer(answer.json()["id"])
                self.viewers.append(viewer)
                yield viewer
            await asyncio.sleep(self.pace_s)

    async def _look(self) -> None:
        async with httpx.AsyncClient(base_url=self.stack.site, headers={"Cookie": self.stack.cookie}, timeout=60) as browser:
            while True:
                for page in PAGES:
                    with self._timed("page"):
                        answer = await browser.get(page)
                    self.answers[f"page {answer.status_code}"] += 1
                    await asyncio.sleep(LOOK_EVERY_S)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.waited_s.setdefault(what, []).append(time.monotonic() - began)

    def report(self, found: Audit) -> None:
        """Add counts and milliseconds to the audit, and as problems events that were missed or out of order."""
        late = [late for viewer in self.viewers for late in viewer.late_s]
        found.counts["viewers"] = len(self.viewers)
        found.counts["viewers that saw every event in order"] = sum(v.done and not v.faults for v in self.viewers)
        found.counts["viewers that came back"] = sum(viewer.returns > 0 for viewer in self.viewers)
        found.counts["events seen"] = sum(len(viewer.events) for viewer in self.viewers)
        found.counts["messages with text seen"] = sum(viewer.texts for viewer in self.viewers)
        found.counts.update(self.answers)
        for what, times in {**self.waited_s, "event": late}.items():
            for name, part in {"median": 0.5, "p95": 0.95, "longest": 1.0}.items():
                found.counts[f"ms {what}, {name}"] = round(1000 * quantile(times, part))
        for viewer in self.viewers:
            found.require(viewer.done, f"the viewer of {viewer.run_id} saw no end, but {len(viewer.events)} events")
            found.problems.extend(viewer.faults)


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this part of all do not exceed; 0 where there is none."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(part * len(ordered)) - 1))] if ordered else 0.0
