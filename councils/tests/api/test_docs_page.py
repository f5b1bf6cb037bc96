"""The interactive documentation, in a real browser under our own content security policy."""

import os
from collections.abc import Iterator

import pytest
from drf_spectacular.generators import SchemaGenerator
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.full, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    # Playwright's loop runs in this thread, where Django would refuse the database that only the server's thread uses.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_the_page_shows_every_operation_and_breaks_no_rule(page: Page, live_server: LiveServer) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{live_server.url}/api/docs/")
    page.wait_for_selector(".opblock")

    operations = [method for path in SchemaGenerator().get_schema(public=True)["paths"].values() for method in path]
    assert page.locator(".opblock").count() == len(operations)
    assert "LLM Council" in page.locator(".info .title").inner_text()
    assert complaints == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []


def test_an_operation_can_be_opened_and_tried(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/api/docs/")
    page.locator("[id$=runs_list] .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.wait_for_selector(".live-responses-table")

    assert "not_authenticated" in page.locator(".live-responses-table").inner_text()
