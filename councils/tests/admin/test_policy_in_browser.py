"""The admin, in a real browser under its content security policy: its own scripts work, planted ones do not."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from councils.models import User

pytestmark = [pytest.mark.full, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch, live_server: LiveServer, client: Client) -> Iterator[Page]:
    # Playwright's loop runs in this thread, where Django would refuse the database that only the server's thread uses.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    client.force_login(User.objects.create_superuser("root", password="correct horse battery"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        yield page
        browser.close()


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/councils/provider/", "/admin/councils/provider/add/", "/admin/councils/councilconfiguration/add/"]
)
def test_unfold_works_within_the_policy(signed_in: Page, live_server: LiveServer, path: str) -> None:
    complaints: list[str] = []
    signed_in.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
    signed_in.on("pageerror", lambda error: complaints.append(str(error)))

    signed_in.goto(f"{live_server.url}{path}", wait_until="networkidle")

    assert complaints == []
    # Alpine has started, which needs 'unsafe-eval'.
    assert signed_in.evaluate("Boolean(window.Alpine && window.Alpine.version)")


def test_a_script_that_is_planted_in_the_page_does_not_run(signed_in: Page, live_server: LiveServer) -> None:
    signed_in.goto(f"{live_server.url}/admin/")

    signed_in.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.planted = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='data:,' onerror='window.planted = true'>");
        }"""
    )
    signed_in.wait_for_timeout(200)

    assert signed_in.evaluate("window.planted") is None
