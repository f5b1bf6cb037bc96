"""The first page in a real browser: in both themes, on a phone and on a desk, within the policy and for everybody."""

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, sync_playwright
from pytest_django.live_server_helper import LiveServer

from analytics.aggregation import aggregate
from analytics.tests.history import History
from councils.engine.types import RunStatus
from councils.models import CallStatus, Provider, User
from councils.tests.browser.looking import axe
from councils.tests.factories import make_model

pytestmark = [pytest.mark.full, pytest.mark.django_db(transaction=True)]

OURS = ".day-figures, .board-now, .board-charts"


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


def fill() -> None:
    history, now = History(), timezone.now()
    for days in range(0, 28, 2):
        at = now - timedelta(days=days)
        history.run(at, list(RunStatus)[2 + days % 4])
        history.call(at, model=make_model(f"a-model-with-a-rather-long-name-{days}"))
        history.call(at, CallStatus.BROKEN, error_kind="timeout")
    Provider.objects.mark(history.model.provider_id, "The provider refused the key.")
    aggregate()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_the_first_page_is_for_everybody(browser: Browser, live_server: LiveServer, client: Client, width: int, theme: Any) -> None:
    fill()
    client.force_login(User.objects.create_superuser("root", password="correct horse battery"))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{live_server.url}/admin/", wait_until="networkidle")
    page.evaluate("document.querySelectorAll('.board-chart details').forEach((fold) => (fold.open = true))")

    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Every bar is drawn in a colour of its own, none in the browser's black.
    fills = page.evaluate("[...document.querySelectorAll('.chart-bar')].map((bar) => getComputedStyle(bar).fill)")
    assert len(fills) > 40
    assert "rgb(0, 0, 0)" not in fills
    # The rest of the page is the library's.
    page.evaluate("(ours) => document.querySelectorAll('aside, nav, header').forEach((one) => one.closest(ours) || one.remove())", OURS)
    assert [fault for fault in axe(page) if "chart" in fault or "board" in fault or "contrast" in fault] == []
    context.close()
