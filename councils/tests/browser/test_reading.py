"""Copying what was answered, and choosing how the pages look."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from councils.models import CouncilConfiguration, User
from councils.tests import scenes
from councils.tests.browser.support import PlayedSocket
from councils.tests.factories import make_run

CODE = "price = 10 * monthly\nprint('<b>', price)"
ANSWER = f"Charge **ten months** & say so.\n\n```python\n{CODE}\n```\n\nNo more."
CLIPBOARD = "navigator.clipboard.readText()"
GROUNDS = {"light": "rgb(250, 249, 246)", "dark": "rgb(22, 23, 20)"}


@pytest.fixture(autouse=True)
def clipboard(context: BrowserContext, socket: PlayedSocket) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])


def test_an_answer_is_copied_as_it_was_written(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.goto(f"/runs/{make_run(owner=ada, council=council, answer=ANSWER).public_id}/")
    tab.get_by_role("button", name="Copy the answer").click()

    expect(tab.locator("#announce")).to_have_text("Copied")
    assert tab.evaluate(CLIPBOARD) == ANSWER


def test_a_block_of_code_is_copied_alone(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.goto(f"/conversations/{make_run(owner=ada, council=council, answer=ANSWER).conversation.public_id}/")
    tab.get_by_role("button", name="Copy the code").click()

    expect(tab.locator("#announce")).to_have_text("Copied")
    assert tab.evaluate(CLIPBOARD) == f"{CODE}\n"


def test_over_plain_http_it_is_copied_the_older_way(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    run = make_run(owner=ada, council=council, answer=ANSWER)
    tab.goto(f"/runs/{run.public_id}/")
    button = tab.get_by_role("button", name="Copy the answer")
    button.click()
    expect(button).to_have_text("Copied")
    expect(button).to_be_focused()

    tab.get_by_label("Ask a follow-up").focus()
    tab.keyboard.press("Control+V")
    expect(tab.get_by_label("Ask a follow-up")).to_have_value(ANSWER)


def test_a_copy_that_is_refused_says_what_to_do(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false")
    tab.goto(f"/runs/{make_run(owner=ada, council=council).public_id}/")
    tab.get_by_role("button", name="Copy the answer").click()

    expect(tab.locator("#announce")).to_have_text("Not copied. Select the text instead.")


def test_what_arrives_while_one_watches_can_be_copied_too(
    tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket
) -> None:
    run = scenes.live(ada, council)
    tab.goto(f"/runs/{run.public_id}/")
    expect(tab.get_by_role("button", name="Copy")).to_have_count(0)
    run.status, run.answer, run.next_seq = "succeeded", ANSWER, run.next_seq + 1
    run.save()
    socket.event(run.next_seq - 1, "run_finished")

    expect(tab.get_by_role("button", name="Copy the answer")).to_have_count(1)
    expect(tab.get_by_role("button", name="Copy the code")).to_have_count(1)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_long_line_of_code_makes_no_page_wider(
    context: BrowserContext, browser: Browser, live_server: LiveServer, ada: User, javascript: bool
) -> None:
    run = make_run(owner=ada, answer=f"```\n{'long ' * 60}\n```")
    phone = browser.new_context(
        viewport={"width": 390, "height": 844}, java_script_enabled=javascript, storage_state=context.storage_state()
    )
    page = phone.new_page()

    for path in (f"/runs/{run.public_id}/", f"/conversations/{run.conversation.public_id}/"):
        page.goto(live_server.url + path)
        widest = page.locator(".prose pre").last.bounding_box()
        assert widest is not None
        assert widest["x"] + widest["width"] <= 390, path
    phone.close()


@pytest.mark.parametrize(("device", "chosen"), [("light", "Dark"), ("dark", "Light")])
def test_the_chosen_look_outweighs_the_device(tab: Page, device: str, chosen: str) -> None:
    tab.emulate_media(color_scheme="dark" if device == "dark" else "light")
    tab.goto("/conversations/")

    for name in (chosen, "System"):
        tab.get_by_role("button", name=name, exact=True).click()
        expect(tab.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
        expect(tab.locator("body")).to_have_css("background-color", GROUNDS[device if name == "System" else name.lower()])
