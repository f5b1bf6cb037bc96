"""The heat map: a score opens its reasoning, by mouse and by keyboard, with scripts and without."""

from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from councils.models import CouncilConfiguration, User
from councils.tests import scenes


def open_votes(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#voting > summary").click()


def test_a_chosen_score_shows_its_reasoning_underneath(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    open_votes(tab, f"/runs/{scenes.usual(ada, council).public_id}/")
    tab.get_by_role("link", name="Skeptic on Analyst: read why").click()

    said = tab.locator(".said")
    expect(said).to_contain_text("Skeptic on the answer of Analyst")
    expect(said).to_contain_text("It names the price and says why, point 1.")
    expect(tab.locator("#remarks-1")).not_to_have_attribute("open", "")


def test_arrow_keys_go_from_score_to_score_and_enter_chooses(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    open_votes(tab, f"/runs/{scenes.usual(ada, council).public_id}/")
    first = tab.locator(".matrix tbody tr:nth-child(2) a").first
    first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")

    expect(tab.locator(".matrix a[aria-current]")).to_be_focused()
    expect(tab.locator(".said")).to_contain_text("on the answer of")
    assert tab.locator(".matrix a[aria-current]").count() == 1


def test_without_scripts_a_score_leads_to_the_list(
    browser: Browser, context: BrowserContext, live_server: LiveServer, ada: User, council: CouncilConfiguration
) -> None:
    run = scenes.usual(ada, council)
    plain = browser.new_context(base_url=live_server.url, java_script_enabled=False, storage_state=context.storage_state())
    page = plain.new_page()
    open_votes(page, f"/runs/{run.public_id}/")
    page.get_by_role("link", name="Skeptic on Analyst: read why").click()

    remark = page.locator("#said-1-agent_2-opinion-agent_1")
    expect(remark).to_be_in_viewport()
    expect(remark).to_contain_text("It names the price and says why, point 1.")
    plain.close()


def test_what_agreement_means_is_told_in_place(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.goto(f"/runs/{scenes.usual(ada, council).public_id}/")
    tab.locator("#what-agreement > summary").press("Enter")

    expect(tab.locator("#what-agreement p")).to_be_visible()


def test_the_contents_of_a_long_answer_lead_to_its_headings(tab: Page, ada: User) -> None:
    tab.goto(f"/runs/{scenes.wordy(ada).public_id}/")
    tab.locator("#contents > summary").click()
    tab.get_by_role("link", name="The code").click()

    expect(tab.get_by_role("heading", name="The code")).to_be_in_viewport()
