"""The pages in a real browser: forms, keys, narrow screens."""

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests import scenes
from councils.tests.browser.support import PlayedSocket
from councils.tests.factories import make_run

QUESTION = "#id_question"


@pytest.fixture(autouse=True)
def nobody_drives(monkeypatch: pytest.MonkeyPatch, socket: PlayedSocket) -> None:
    """Questions are asked for real, and stay queued."""
    monkeypatch.setattr("councils.services.asking.tasks.start", lambda _run: None)


def test_signing_in_and_asking_by_keyboard_alone(tab: Page, context: BrowserContext, council: CouncilConfiguration) -> None:
    context.clear_cookies()
    tab.goto("/")
    expect(tab.get_by_label("Username")).to_be_focused()
    tab.keyboard.type("ada")
    tab.keyboard.press("Tab")
    tab.keyboard.type("a long enough secret")
    tab.keyboard.press("Enter")
    expect(tab.locator(QUESTION)).to_be_focused()
    tab.keyboard.type("Is it enough?")
    tab.keyboard.press("Control+Enter")

    tab.wait_for_url("**/runs/*/")
    assert CouncilRun.objects.get().message.text == "Is it enough?"


def test_a_double_click_asks_once(tab: Page, council: CouncilConfiguration) -> None:
    tab.goto("/")
    tab.locator(QUESTION).fill("Once?")
    tab.get_by_role("button", name="Ask the council").dblclick()

    tab.wait_for_url("**/runs/*/")
    assert CouncilRun.objects.count() == 1


def test_a_double_click_on_ask_again_asks_once(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    failed = scenes.failed(ada, council)
    tab.goto(f"/runs/{failed.public_id}/")
    tab.get_by_role("button", name="Ask again").dblclick()

    tab.wait_for_url(lambda url: "/runs/" in url and failed.public_id not in url)
    assert failed.conversation.runs.count() == 2


def test_what_was_typed_outlives_a_reload(tab: Page, council: CouncilConfiguration) -> None:
    tab.goto("/")
    tab.locator(QUESTION).fill("Not sent yet")
    tab.goto("/conversations/")
    tab.goto("/")

    expect(tab.locator(QUESTION)).to_have_value("Not sent yet")


def test_what_was_sent_does_not_come_back(tab: Page, council: CouncilConfiguration) -> None:
    tab.goto("/")
    tab.locator(QUESTION).fill("Sent")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_url("**/runs/*/")
    tab.goto("/")

    expect(tab.locator(QUESTION)).to_have_value("")


def test_a_follow_up_is_asked_from_the_run_page(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    tab.goto(f"/runs/{run.public_id}/")
    tab.get_by_label("Ask a follow-up").fill("And then?")
    tab.keyboard.press("Control+Enter")

    tab.wait_for_url(lambda url: "/runs/" in url and run.public_id not in url)
    assert run.conversation.runs.count() == 2


def test_our_own_styles_and_scripts_stay_small_on_every_page(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    runs = [scenes.live(ada, council), scenes.usual(ada, council)]
    for path in ("/", "/conversations/", *(f"/runs/{run.public_id}/" for run in runs), f"/conversations/{runs[0].conversation.public_id}/"):
        sizes: dict[str, int] = {}

        def weigh(answer: Response, sizes: dict[str, int] = sizes) -> None:
            sizes[answer.url] = int(answer.headers.get("content-length", 0))

        tab.on("response", weigh)
        tab.goto(path, wait_until="networkidle")

        assert 0 < sum(size for url, size in sizes.items() if "/static/councils/" in url) < 60_000, path
