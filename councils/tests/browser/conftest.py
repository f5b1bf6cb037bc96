"""Chromium on the real pages. The server's side of the socket is played by the test, so that it can lose, repeat and reorder at will."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from councils.models import CouncilConfiguration, User
from councils.tests.browser.support import Faults, PlayedSocket
from councils.tests.factories import make_council, make_user

# Only what never comes takes so long, however busy the machine is.
PATIENCE_MS = 60_000
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.full)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Playwright's loop runs in this thread, which Django takes for async code; the tests themselves are plain.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def ada(transactional_db: None) -> User:
    return make_user("ada")


@pytest.fixture
def council(transactional_db: None) -> CouncilConfiguration:
    return make_council()


def visitor(browser: Browser, home: str, user: User, *, javascript: bool = True) -> BrowserContext:
    """A browser of its own in which this person is signed in."""
    client = Client()
    client.force_login(user)
    context = browser.new_context(base_url=home, viewport={"width": 1280, "height": 900}, java_script_enabled=javascript)
    context.set_default_timeout(PATIENCE_MS)
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": home}])
    return context


@pytest.fixture
def context(browser: Browser, live_server: LiveServer, ada: User) -> Iterator[BrowserContext]:
    """A browser of its own in which ada is signed in."""
    context = visitor(browser, live_server.url, ada)
    yield context
    context.close()


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, ada: User) -> Iterator[Page]:
    """ada's phone, with scripts switched off."""
    context = visitor(browser, live_server.url, ada, javascript=False)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    yield page
    context.close()


@pytest.fixture
def faults(context: BrowserContext, live_server: LiveServer) -> Faults:
    return Faults(context, live_server.url)


@pytest.fixture
def socket(context: BrowserContext) -> PlayedSocket:
    return PlayedSocket(context)


@pytest.fixture
def tab(context: BrowserContext, faults: Faults) -> Iterator[Page]:
    """A page of that browser. Whatever goes wrong in it fails the test."""
    page = context.new_page()
    yield page
    assert faults.seen == []
