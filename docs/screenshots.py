"""Photographs the pages in every state worth looking at, at phone and desk width, light and dark.

    python docs/screenshots.py                     what the README shows, into docs/screenshots/
    python docs/screenshots.py --all [NAME ...]    everything, or these pages, into docs/screenshots/tmp/

Needs Playwright and a Chromium (``CHROMIUM``, by default /usr/bin/chromium). Works on a database of its own and throws it away.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import django

HERE = Path(__file__).resolve().parent
WORKSPACE = tempfile.TemporaryDirectory()
sys.path.insert(0, str(HERE.parent))
os.environ["TEST_DATABASE_URL"] = f"sqlite:///{WORKSPACE.name}/pages.sqlite3"
os.environ["SIGNUP_ENABLED"] = "true"
os.environ["DJANGO_SETTINGS_MODULE"] = "council_site.settings_test"
django.setup()

# Only now: these import models, which need the settings above.
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import FloatRect, WebSocketRoute, sync_playwright

from councils.tests import scenes
from councils.tests.factories import make_council, make_user

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
IN_README: dict[str, tuple[str, Scheme]] = {"run-live": ("desk", "light"), "run-done": ("desk", "light")}
# Folds that are opened before the picture is taken.
OPENED = {"run-done-open": "main details", "run-contested": "main details", "run-extreme": "#opinions, #voting, #voting details, #costs"}
TALLEST = 6_000
ANONYMOUS = {"sign-in", "sign-up"}
DRAFT = "I would not discount at all yet. You do not know why people leave, and an annual plan hides the problem for a year. Ask twenty"


def make_pages() -> tuple[dict[str, str], str]:
    """Rows for every page: addresses by name, and the session that sees them."""
    call_command("migrate", verbosity=0)
    ada = make_user("ada")
    council = make_council(description="Prices, packaging and what customers will say about them.", is_default=True)
    make_council(name="Second reader", seats=3, description="Finds what is wrong with a text.")
    scenes.many_conversations(ada, council)
    pages = {"sign-in": "/sign-in/", "sign-up": "/sign-up/", "ask": "/", "conversations": "/conversations/", "not-found": "/nothing-here/"}
    pages["conversation"] = f"/conversations/{scenes.long_conversation(ada, council).public_id}/"
    for name, run in {
        "run-live": scenes.live(ada, council),
        "run-reviewing": scenes.reviewing(ada, council),
        "run-synthesis": scenes.synthesising(ada, council),
        "run-done": (done := scenes.usual(ada, council)),
        "run-done-open": done,
        "run-contested": scenes.contested(ada, council),
        "run-failed": scenes.failed(ada, council),
        "run-cancelled": scenes.cancelled(ada, council),
        "run-extreme": scenes.extreme(ada),
    }.items():
        pages[name] = f"/runs/{run.public_id}/"
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(ada.pk), ada.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session.save()
    return pages, str(session.session_key)


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing of requests that went well."""


@contextmanager
def served() -> Iterator[str]:
    """The site over plain HTTP; its sockets are played by the browser."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def play_socket(socket: WebSocketRoute) -> None:
    """Answer a subscription with the text of a member and of the chairman as far as it is written."""

    def answer(message: str | bytes) -> None:
        asked = json.loads(message)
        drafts = {"opinion:agent_2": {"attempt": 1, "text": DRAFT}, "synthesis": {"attempt": 1, "text": DRAFT * 3}}
        state = {"status": "running", "seq": asked["after"], "steps": [], "drafts": drafts, "totals": {}}
        socket.send(json.dumps({"type": "snapshot", "run": asked["run"], **state}))

    socket.on_message(answer)


def photograph(base: str, pages: dict[str, str], session: str, wanted: list[tuple[str, str, Scheme]], to: Path) -> None:
    """Take the pictures ``(page, size, scheme)``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        for name, size, scheme in wanted:
            width, height = SIZES[size]
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
            if name not in ANONYMOUS:
                context.add_cookies([{"name": "sessionid", "value": session, "url": base}])
            page = context.new_page()
            page.on("pageerror", partial(print, f"{name}:"))
            page.route_web_socket("**/ws/", play_socket)
            page.goto(base + pages[name])
            if name in OPENED:
                page.evaluate("(chosen) => document.querySelectorAll(chosen).forEach((fold) => (fold.open = true))", OPENED[name])
            page.wait_for_timeout(400)
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if overflow > 0:
                print(f"{name} at {size} is {overflow} px too wide")
            whole = (
                min(page.evaluate("document.documentElement.scrollHeight"), TALLEST) if size == "phone" or name not in IN_README else height
            )
            clip = FloatRect(x=0, y=0, width=width, height=max(whole, height))
            page.screenshot(path=to / f"{name}-{size}-{scheme}.png", full_page=True, clip=clip)
            context.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--scheme", choices=SCHEMES)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    pages, session = make_pages()
    to = HERE / "screenshots" / "tmp" if asked.all else HERE / "screenshots"
    to.mkdir(parents=True, exist_ok=True)
    sizes, schemes = [asked.size] if asked.size else list(SIZES), [asked.scheme] if asked.scheme else SCHEMES
    everything = [(name, size, scheme) for name in asked.names or pages for size in sizes for scheme in schemes]
    wanted = everything if asked.all else [(name, *shot) for name, shot in IN_README.items()]
    with served() as base:
        photograph(base, pages, session, wanted, to)
    WORKSPACE.cleanup()


if __name__ == "__main__":
    main()
