"""How heavy the largest pages are: time of the server, weight, and how smooth Chromium stays while nine members write.

    python -m benchmarks.pages

A conversation of 200 messages, a finished run of nine seats with 8,000 characters each, and the same run while all nine write: 25
frames a second, each with the next text of every seat. Everything works on a database of its own. The server, the played socket and
Chromium share this machine's cores with whatever else runs; CPU figures are this process's own.
"""

import gzip
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import django

WORKSPACE = tempfile.TemporaryDirectory()
os.environ["TEST_DATABASE_URL"] = f"sqlite:///{WORKSPACE.name}/pages.sqlite3"
os.environ["DJANGO_SETTINGS_MODULE"] = "council_site.settings_test"
# Playwright's loop runs in this thread, which Django takes for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
django.setup()

# Only now: these import models, which need the settings above.
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.test import Client
from playwright.sync_api import BrowserContext, CDPSession, Page, WebSocketRoute, sync_playwright

from councils.engine.types import RunStatus, StepStatus
from councils.models import User
from councils.tests import scenes
from councils.tests.factories import RunPlan, make_council, make_run, make_user

REQUESTS = 20
QUESTIONS = 100
SEATS = 9
CHARS = 8_000
FRAMES = 250
FRAME_S = 0.04
THREAD_TIMES = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
SMOOTH_MS = 1000 / 60
PAGES_SEEN = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource").reduce((sum, file) => sum + file.encodedBodySize, 0);
  return { "DOMContentLoaded, ms": page.domContentLoadedEventEnd, "page, bytes": page.encodedBodySize, "files, bytes": files };
}"""
OBSERVE = """
  window.tasks = [];
  window.frames = [];
  window.shift = 0;
  const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  watch("longtask", ({ duration }) => window.tasks.push(duration));
  watch("layout-shift", ({ value, hadRecentInput }) => (window.shift += hadRecentInput ? 0 : value));
  requestAnimationFrame(function frame(now) {
    window.frames.push(now);
    requestAnimationFrame(frame);
  });
"""


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing of requests that went well."""


def make_pages(ada: User) -> dict[str, str]:
    """Addresses of the pages by name; the last one is a run whose members write."""
    council = make_council()
    first = make_run(owner=ada, council=council, answer=scenes.ANSWER)
    for number in range(1, QUESTIONS):
        make_run(owner=ada, council=council, question=f"Question {number}?", answer=scenes.ANSWER, conversation=first.conversation)
    writing = RunPlan(opinions=[StepStatus.RUNNING] * SEATS)
    live = make_run(owner=ada, council=make_council(seats=SEATS), status=RunStatus.RUNNING, plan=writing)
    return {
        "conversation of 200 messages": f"/conversations/{first.conversation.public_id}/",
        "finished run, nine seats": f"/runs/{scenes.extreme(ada).public_id}/",
        "live run, nine seats": f"/runs/{live.public_id}/",
    }


def serve_times(client: Client, path: str) -> dict[str, float]:
    """What one answer costs the server, the first one left out: it fills caches."""
    walls, cpus = [], []
    body = client.get(path).content
    for _ in range(REQUESTS):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(path)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        if answer.status_code != HTTPStatus.OK:
            raise SystemExit(f"{path} answered {answer.status_code}.")
    times = {"server, median ms": statistics.median(walls) * 1000, "server CPU, median ms": statistics.median(cpus) * 1000}
    return times | {"HTML, kB": len(body) / 1000, "HTML gzipped, kB": len(gzip.compress(body)) / 1000}


@contextmanager
def served() -> Iterator[str]:
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Sockets:
    """The sockets that pages open, answered with the state that they have."""

    def __init__(self, context: BrowserContext) -> None:
        self.open: list[tuple[WebSocketRoute, str]] = []
        context.route_web_socket("**/ws/", lambda route: route.on_message(lambda message: self._answer(route, str(message))))

    def _answer(self, route: WebSocketRoute, message: str) -> None:
        asked = json.loads(message)
        self.open.append((route, asked["run"]))
        route.send(json.dumps({"type": "snapshot", "run": asked["run"], "seq": asked["after"], "status": "running", "drafts": {}}))

    def stream(self, page: Page) -> None:
        """Let every seat write its text in ``FRAMES`` pieces."""
        route, run = self.open[-1]
        piece = (scenes.CHURN * CHARS)[: CHARS // FRAMES]
        for frame in range(FRAMES):
            items = [(f"opinion:agent_{seat}", 1, frame * len(piece), piece) for seat in range(1, SEATS + 1)]
            route.send(json.dumps({"type": "delta", "run": run, "items": items}))
            page.wait_for_timeout(FRAME_S * 1000)


def browse(page: Page, address: str) -> dict[str, float]:
    page.goto(address, wait_until="load")
    page.wait_for_timeout(500)
    seen: dict[str, float] = page.evaluate(PAGES_SEEN)
    tasks = page.evaluate("window.tasks")
    return seen | {"long tasks": len(tasks), "longest task, ms": max(tasks, default=0)}


def smoothness(page: Page, sockets: Sockets) -> dict[str, float]:
    """Frames that came late while all seats wrote (a gap of n frames counts as n - 1 dropped), and the CPU time of the page's thread.

    The latter does not depend on what else the machine does.
    """
    page.evaluate("() => { window.tasks.length = 0; window.frames.length = 0; }")
    protocol = page.context.new_cdp_session(page)
    protocol.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = thread_time(protocol)
    sockets.stream(page)
    after = thread_time(protocol)
    frames, tasks, shift = page.evaluate("[window.frames, window.tasks, window.shift]")
    gaps = [later - earlier for earlier, later in pairwise(frames)]
    dropped = sum(max(round(gap / SMOOTH_MS) - 1, 0) for gap in gaps)
    figures = {"frames": len(frames), "frames dropped": dropped, "worst gap, ms": max(gaps, default=0)}
    spent = {f"{name}, CPU ms a frame": (after[name] - before[name]) * 1000 / FRAMES for name in THREAD_TIMES}
    return figures | spent | {"long tasks": len(tasks), "longest task, ms": max(tasks, default=0), "layout shift": shift}


def thread_time(protocol: CDPSession) -> dict[str, float]:
    """Seconds of CPU that the page's main thread has taken, by what for."""
    metrics = protocol.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] for metric in metrics if metric["name"] in THREAD_TIMES}


def show(title: str, figures: dict[str, float]) -> None:
    print(title)
    for name, value in figures.items():
        print(f"  {name:<24} {value:,.4g}" if value < 10 else f"  {name:<24} {value:,.0f}")


def main() -> None:
    call_command("migrate", verbosity=0)
    ada = make_user("ada")
    pages = make_pages(ada)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(ada)
    session = client.cookies["sessionid"].value
    with served() as home, sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": session, "url": home}])
        context.add_init_script(OBSERVE)
        sockets = Sockets(context)
        page = context.new_page()
        for title, path in pages.items():
            show(title, serve_times(client, path) | browse(page, home + path))
        show("while nine seats write", smoothness(page, sockets))
        browser.close()
    WORKSPACE.cleanup()


if __name__ == "__main__":
    main()
