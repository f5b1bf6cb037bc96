"""Keeping conversations in order, in a browser that runs no script: forms and folds are enough."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from councils.models import Conversation, User
from councils.tests.browser.conftest import PATIENCE_MS


@pytest.fixture
def plain(context: BrowserContext, browser: Browser) -> Iterator[Page]:
    """ada's browser, with scripts switched off."""
    without = browser.new_context(java_script_enabled=False, storage_state=context.storage_state(), viewport={"width": 390, "height": 844})
    without.set_default_timeout(PATIENCE_MS)
    yield without.new_page()
    without.close()


@pytest.fixture
def home(live_server: object, ada: User) -> str:
    for title in ("Tide tables", "Harbour"):
        Conversation.objects.create(owner=ada, title=title)
    return str(live_server)


def tools(page: Page, title: str) -> None:
    page.get_by_title("Rename, archive or delete").and_(page.locator(f"summary:has-text('{title}')")).click()


def test_a_conversation_is_renamed_in_its_line(plain: Page, home: str) -> None:
    plain.goto(f"{home}/conversations/")
    tools(plain, "Harbour")
    plain.get_by_label("Title", exact=True).and_(plain.locator(":visible")).fill("The old harbour")
    plain.keyboard.press("Enter")

    expect(plain.get_by_role("link", name="The old harbour")).to_be_visible()
    expect(plain.get_by_role("status")).to_contain_text("It is now called “The old harbour”.")


def test_a_deletion_is_undone_from_its_message(plain: Page, home: str) -> None:
    plain.goto(f"{home}/conversations/?q=harbour")
    tools(plain, "Harbour")
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_text("Nothing was found")).to_be_visible()
    plain.get_by_role("button", name="Undo").click()

    expect(plain.get_by_role("link", name="Harbour")).to_be_visible()
    expect(plain.get_by_label("Search titles, questions and answers")).to_have_value("harbour")


def test_what_is_archived_is_found_on_its_shelf(plain: Page, home: str) -> None:
    plain.goto(f"{home}/conversations/")
    tools(plain, "Harbour")
    plain.get_by_role("button", name="Archive").and_(plain.locator(":visible")).click()
    expect(plain.get_by_role("link", name="Harbour")).to_be_hidden()
    plain.get_by_role("navigation", name="Which conversations").get_by_role("link", name="Archived").click()

    expect(plain.get_by_role("link", name="Harbour")).to_be_visible()
