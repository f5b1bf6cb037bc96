"""Photographs the pages in every state worth looking at, at phone and desk width, light and dark.

    python docs/screenshots.py                     the main pages, into docs/screenshots/
    python docs/screenshots.py --all [NAME ...]    everything, or these places, into docs/screenshots/tmp/
    python docs/screenshots.py --language fr ...   in French

Needs Playwright and a Chromium (``CHROMIUM``, by default /usr/bin/chromium). Works on a database of its own and throws it away.
"""

import argparse
import logging
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
# Playwright's loop runs in this thread, which Django takes for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
django.setup()

# Only now: these import models, which need the settings above.
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection
from playwright.sync_api import Browser, FloatRect, sync_playwright

from analytics.aggregation import aggregate
from councils.tests.browser.gallery import Gallery, Place, hang, shown

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
OFFICE = ("office-today", "office-council", "office-run", "office-difference")
MAIN = ("ask", "run-live", "run-done", "run-contested", "conversations", *OFFICE)
WITH_HISTORY = "office-today"
"""The figures of a place with nothing behind it say little. It comes last: what makes its past would be seen on other pages."""
TALLEST = 6_000
MAIN_TALLEST = 1_700


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing of requests that went well."""


@contextmanager
def served() -> Iterator[str]:
    """The site over plain HTTP; its sockets are played by the browser."""
    settings.ROOT_URLCONF = "councils.tests.browser.broken_urls"
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Camera:
    """Takes pictures of places, ``tallest`` pixels high at most."""

    def __init__(self, browser: Browser, gallery: Gallery, base: str, *, to: Path, tallest: int, language: str) -> None:
        self._browser, self._gallery, self._base = browser, gallery, base
        self._to, self._tallest, self._language = to, tallest, language

    def take(self, place: Place, size: str, scheme: Scheme) -> None:
        width, height = SIZES[size]
        context = self._gallery.visitor(self._browser, self._base, place.who, width=width, height=height)
        context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": self._language, "url": self._base}])
        page = context.new_page()
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.on("pageerror", partial(print, f"{place.name}:"))
        with shown(place, page):
            # What sticks to the edge of a window would stand in the middle of a picture of the whole page.
            page.evaluate("document.querySelectorAll('.follow-up, .pick').forEach((bar) => (bar.style.position = 'static'))")
            page.wait_for_timeout(400)
            whole = min(page.evaluate("document.documentElement.scrollHeight"), self._tallest)
            if place.office:
                # Its bars stick to the edges of a window that is as high as the picture.
                page.set_viewport_size({"width": width, "height": max(whole, height)})
            clip = FloatRect(x=0, y=0, width=width, height=max(whole, height))
            page.screenshot(path=self._to / f"{place.name}-{size}-{scheme}.png", full_page=True, clip=clip)
        context.close()


def make_history() -> None:
    """Some weeks of an invented past, summed up."""
    call_command("seed_history", runs=300, calls=2_700, conversations=60, days=40, database=connection.settings_dict["NAME"], verbosity=0)
    aggregate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--scheme", choices=SCHEMES, action="append")
    parser.add_argument("--language", default="en")
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    # The pages of errors are wanted here.
    logging.disable(logging.ERROR)
    call_command("migrate", verbosity=0)
    gallery = hang()
    names = asked.names or ([place.name for place in gallery.places] if asked.all else MAIN)
    to = HERE / "screenshots" / "tmp" if asked.all else HERE / "screenshots"
    to.mkdir(parents=True, exist_ok=True)
    executable = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with served() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        camera = Camera(browser, gallery, base, to=to, tallest=TALLEST if asked.all else MAIN_TALLEST, language=asked.language)
        for place in sorted(gallery.places, key=lambda place: place.name == WITH_HISTORY):
            if place.name in names:
                if place.name == WITH_HISTORY:
                    make_history()
                for size in asked.size or SIZES:
                    for scheme in asked.scheme or SCHEMES:
                        camera.take(place, size, scheme)
        browser.close()
    WORKSPACE.cleanup()


if __name__ == "__main__":
    main()
