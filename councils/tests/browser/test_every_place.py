"""Every page in every state, visited once: what axe-core says of it, how wide it is, where its focus shows, what moves."""

from collections import defaultdict

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from councils.tests.browser import looking
from councils.tests.browser.gallery import Place, hang, shown
from councils.tests.emptying import empty_tables

PHONE, DESK = 390, 1440
# A zoom of 200 % makes the desk 720 px wide, one of 400 % makes 1280 px into 320.
WIDTHS = (320, PHONE, 720, 768, DESK)
PATIENCE_MS = 60_000


class Walk:
    """What was seen on the way, by claim."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._place = Place(name="", path="")

    def demand_nothing_of(self, claim: str) -> None:
        """Fails with each fault once, and the places where it was seen."""
        faults = [f"{fault} -- {', '.join(dict.fromkeys(places))}" for fault, places in self._seen[claim].items()]
        assert not faults, "\n" + "\n".join(faults)

    def visit(self, place: Place, page: Page) -> None:
        self._place = place
        self._by_axe(page)
        if place.office:
            self._by_width(page, (PHONE, DESK))
            self._note("focus", str(DESK), looking.focus_faults(page))
            return
        self._by_width(page)
        self._by_focus(page)
        self._note("motion", "", looking.moving(page))

    def _note(self, claim: str, how: str, faults: list[str]) -> None:
        for fault in faults:
            if not fault.startswith(self._place.excused):
                self._seen[claim][fault].append(f"{self._place.name} {how}".strip())

    def _by_axe(self, page: Page) -> None:
        """The desk in the light, the phone in the dark: no colour of ours depends on the width."""
        page.set_viewport_size({"width": DESK, "height": 900})
        page.emulate_media(color_scheme="light")
        self._note("axe", "desk light", looking.axe(page, colours=self._place.colours))
        page.set_viewport_size({"width": PHONE, "height": 900})
        page.emulate_media(color_scheme="dark")
        if self._place.office:
            page.evaluate("document.documentElement.classList.add('dark')")
        self._note("axe", "phone dark", looking.axe(page, colours=self._place.colours))

    def _by_width(self, page: Page, widths: tuple[int, ...] = WIDTHS) -> None:
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            self._note("width", str(width), looking.too_wide(page))

    def _by_focus(self, page: Page) -> None:
        for width in (PHONE, DESK):
            page.set_viewport_size({"width": width, "height": 900})
            self._note("focus", str(width), looking.focus_faults(page))
        page.emulate_media(forced_colors="active")
        self._note("focus", "forced colours", looking.focus_faults(page))
        page.emulate_media(forced_colors="none")


@pytest.fixture(scope="module")
def walk(browser: Browser, live_server: LiveServer, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Walk:
    """The rows of all places serve the one walk, and are gone before the first claim is examined."""
    walk = Walk()
    visitors: dict[str, BrowserContext] = {}
    with django_db_blocker.unblock(), override_settings(ROOT_URLCONF="councils.tests.browser.broken_urls", SIGNUP_ENABLED=True):
        gallery = hang()
        for place in filter(lambda place: place.walked, gallery.places):
            if place.who not in visitors:
                visitors[place.who] = gallery.visitor(browser, live_server.url, place.who)
                visitors[place.who].set_default_timeout(PATIENCE_MS)
            page = visitors[place.who].new_page()
            with shown(place, page):
                walk.visit(place, page)
            page.close()
        for context in visitors.values():
            context.close()
        empty_tables()
    return walk


def test_axe_finds_nothing(walk: Walk) -> None:
    walk.demand_nothing_of("axe")


def test_nobody_has_to_scroll_sideways(walk: Walk) -> None:
    walk.demand_nothing_of("width")


def test_focus_is_always_seen(walk: Walk) -> None:
    walk.demand_nothing_of("focus")


def test_who_wants_no_motion_gets_none(walk: Walk) -> None:
    walk.demand_nothing_of("motion")
