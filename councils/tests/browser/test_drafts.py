"""A question that was typed is there until it was asked, and times are the reader's own."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.browser.support import PlayedSocket
from councils.tests.factories import make_run

QUESTION = "#id_question"


@pytest.fixture(autouse=True)
def nobody_drives(monkeypatch: pytest.MonkeyPatch, socket: PlayedSocket) -> None:
    """Questions are asked for real, and stay queued."""
    monkeypatch.setattr("councils.services.asking.tasks.start", lambda _run: None)


def sign_in(tab: Page, name: str = "ada") -> None:
    tab.get_by_label("Username").fill(name)
    tab.get_by_label("Password").fill("a long enough secret")
    tab.keyboard.press("Enter")


def test_a_question_outlives_the_session_in_which_it_was_typed(
    tab: Page, context: BrowserContext, ada: User, council: CouncilConfiguration
) -> None:
    tab.goto("/")
    tab.locator(QUESTION).fill("Typed\nfor an hour?")
    context.clear_cookies(name="sessionid")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_url("**/sign-in/**")
    sign_in(tab)

    expect(tab.locator(QUESTION)).to_have_value("Typed\nfor an hour?")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_url("**/runs/*/")
    assert CouncilRun.objects.count() == 1
    tab.goto("/")
    expect(tab.locator(QUESTION)).to_have_value("")


def test_another_person_never_sees_the_draft(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.goto("/")
    tab.locator(QUESTION).fill("For nobody else")
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/sign-in/**")

    assert tab.evaluate("Object.keys(localStorage)") == []


def test_times_are_told_in_the_reader_s_own_zone(tab: Page, context: BrowserContext, ada: User, council: CouncilConfiguration) -> None:
    thread = make_run(owner=ada, council=council).conversation
    tab.goto(f"/conversations/{thread.public_id}/")

    time = tab.locator(".turn-facts time")
    expect(time).not_to_contain_text("UTC")
    assert "UTC" in (time.get_attribute("title") or "")
