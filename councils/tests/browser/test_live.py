"""The run page as it follows a run: what comes late, twice, out of order or not at all."""

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilRun, RunStep, User
from councils.tests import scenes
from councils.tests.browser.support import PlayedSocket, wait_for
from councils.tests.factories import make_run

WRITING = "opinion:agent_2"


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    """Seats 1 and 3 have answered, 2 is writing, 4 is late. The page knows events up to 8."""
    cache.clear()
    return scenes.live(ada, council)


@pytest.fixture
def watched(tab: Page, run: CouncilRun, socket: PlayedSocket) -> Page:
    tab.goto(f"/runs/{run.public_id}/")
    wait_for(tab, lambda: socket.asked)
    return tab


def draft(page: Page, key: str = WRITING) -> str:
    return page.locator(f'[data-draft="{key}"]').text_content() or ""


def finish_step(run: CouncilRun, key: str, text: str) -> None:
    RunStep.objects.filter(run=run, key=key).update(status=StepStatus.DONE.value, text=text, latency_ms=5000)


def test_the_page_asks_for_what_comes_after_its_own_state(watched: Page, run: CouncilRun, socket: PlayedSocket) -> None:
    assert socket.asked == [{"type": "subscribe", "run": run.public_id, "after": 8}]


def test_text_appears_as_it_is_written(watched: Page, socket: PlayedSocket) -> None:
    socket.delta((WRITING, 1, 0, "It is"))
    socket.delta((WRITING, 1, 5, " <b>not</b> 👍"), (WRITING, 1, 19, "!"))

    wait_for(watched, lambda: draft(watched) == "It is <b>not</b> 👍!")


def test_text_that_came_before_is_not_written_twice(watched: Page, socket: PlayedSocket) -> None:
    socket.delta((WRITING, 1, 0, "One two"))
    socket.delta((WRITING, 1, 0, "One two"), (WRITING, 1, 4, "two three"))

    wait_for(watched, lambda: draft(watched) == "One two three")


def test_a_gap_is_filled_by_a_snapshot_and_what_was_put_aside(watched: Page, socket: PlayedSocket) -> None:
    socket.drafts = {WRITING: {"attempt": 1, "text": "One two"}}
    socket.delta((WRITING, 1, 7, " three"))

    wait_for(watched, lambda: draft(watched) == "One two three")
    assert len(socket.asked) == 2


def test_many_gaps_ask_once(watched: Page, socket: PlayedSocket) -> None:
    socket.answers = False
    for offset in range(100, 200, 10):
        socket.delta((WRITING, 1, offset, "0123456789"))
    watched.wait_for_timeout(700)

    # The first subscription was less than 400 ms ago or not: at most two more can fit into this time.
    assert 2 <= len(socket.asked) <= 3


def test_a_new_attempt_clears_the_old_text(watched: Page, socket: PlayedSocket) -> None:
    socket.delta((WRITING, 1, 0, "A text that broke off"))
    wait_for(watched, lambda: draft(watched) != "")
    socket.delta((WRITING, 2, 0, "Anew"))
    socket.delta((WRITING, 1, 21, " late words of the first"))

    wait_for(watched, lambda: draft(watched) == "Anew")


def test_a_finished_step_is_swapped_for_the_server_s_rendering(watched: Page, run: CouncilRun, socket: PlayedSocket) -> None:
    finish_step(run, WRITING, "Now it is **done**.")
    socket.event(9, "opinion_completed", WRITING)

    card = watched.locator(f'[data-part="{WRITING}"]')
    expect(card.locator("strong")).to_have_text("done")
    expect(card).to_contain_text("answered")
    expect(watched.locator('[data-part="rail"]')).to_contain_text("3 of 4")


def test_an_old_event_changes_nothing_and_a_gap_asks_again(watched: Page, run: CouncilRun, socket: PlayedSocket) -> None:
    requests: list[str] = []
    watched.on("request", lambda request: requests.append(request.url))
    socket.event(8, "opinion_completed", WRITING)
    watched.wait_for_timeout(300)
    assert requests == []

    finish_step(run, WRITING, "Done meanwhile.")
    CouncilRun.objects.update(next_seq=12)
    socket.seq = 11
    socket.event(11, "ballot_counted", "review:agent_1")

    expect(watched.locator(f'[data-part="{WRITING}"]')).to_contain_text("Done meanwhile.")
    assert socket.asked[1]["after"] == 8


def test_a_lost_connection_is_told_and_mended(watched: Page, socket: PlayedSocket) -> None:
    socket.delta((WRITING, 1, 0, "Before"))
    wait_for(watched, lambda: draft(watched) == "Before")
    socket.answers = False
    socket.drop()
    expect(watched.locator("#connection")).to_contain_text("the council goes on meanwhile")

    wait_for(watched, lambda: len(socket.asked) == 2)
    socket.drafts = {WRITING: {"attempt": 1, "text": "Before and after"}}
    socket.answers = True
    socket.drop()

    wait_for(watched, lambda: draft(watched) == "Before and after")
    expect(watched.locator("#connection")).to_be_hidden()


def test_a_second_tab_converges_to_the_same_text(watched: Page, context: BrowserContext, run: CouncilRun, socket: PlayedSocket) -> None:
    socket.delta((WRITING, 1, 0, "Half a"))
    socket.drafts = {WRITING: {"attempt": 1, "text": "Half a"}}
    second = context.new_page()
    second.goto(f"/runs/{run.public_id}/")
    wait_for(second, lambda: len(socket.routes) == 2 and draft(second) == "Half a")

    socket.send_to_all({"type": "delta", "items": [[WRITING, 1, 6, " sentence."]]})

    for page in (watched, second):
        wait_for(page, lambda page=page: draft(page) == "Half a sentence.")


def test_a_session_that_has_ended_leads_to_the_sign_in_page(
    watched: Page, run: CouncilRun, socket: PlayedSocket, context: BrowserContext
) -> None:
    context.clear_cookies()
    socket.drop(4401)

    watched.wait_for_url(f"**/sign-in/?next=/runs/{run.public_id}/")


def test_the_end_brings_the_answer_and_closes_the_socket(watched: Page, run: CouncilRun, socket: PlayedSocket) -> None:
    CouncilRun.objects.update(
        status=RunStatus.SUCCEEDED.value, answer="The **result**.", answer_by="chairman", finished_at=run.created_at, next_seq=10
    )
    socket.event(9, "run_finished")

    expect(watched.locator(".answer strong")).to_have_text("result")
    expect(watched.locator(".cancel")).to_have_count(0)
    expect(watched.locator("#announce")).to_contain_text("The run has ended: Answered.")
    assert watched.title().startswith("Answered · How should we price")
    wait_for(watched, lambda: watched.locator("#follow-up textarea").is_visible())


def test_a_run_that_ended_while_the_page_was_loading_is_shown_ended(tab: Page, run: CouncilRun, socket: PlayedSocket) -> None:
    def end_first(route: Route) -> None:
        CouncilRun.objects.update(status=RunStatus.SUCCEEDED.value, answer="Late but **here**.", answer_by="chairman")
        route.continue_()

    socket.status = RunStatus.SUCCEEDED.value
    tab.route("**/parts/**", end_first)
    tab.goto(f"/runs/{run.public_id}/")

    expect(tab.locator(".answer strong")).to_have_text("here")


def test_the_chairman_s_words_appear_as_they_are_written(tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket) -> None:
    run = scenes.synthesising(ada, council)
    tab.goto(f"/runs/{run.public_id}/")
    wait_for(tab, lambda: socket.asked)
    socket.delta(("synthesis", 1, 0, "We say"))

    wait_for(tab, lambda: draft(tab, "synthesis") == "We say")


COUNT_SHIFTS = """() => {
  window.shift = 0;
  const add = (list) => list.getEntries().forEach((entry) => (window.shift += entry.value));
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
}"""


def test_nothing_moves_while_text_is_written(watched: Page, socket: PlayedSocket) -> None:
    watched.evaluate(COUNT_SHIFTS)
    before = watched.locator(".votes").bounding_box()
    for number in range(20):
        socket.delta((WRITING, 1, number * 200, f"{number:03d} " + "word " * 39 + " "))
    wait_for(watched, lambda: len(draft(watched)) == 4000)

    assert watched.locator(".votes").bounding_box() == before
    assert watched.evaluate("window.shift") < 0.01


def test_the_end_of_growing_text_is_followed_unless_the_reader_scrolled_up(watched: Page, socket: PlayedSocket) -> None:
    box = watched.locator(f'[data-part="{WRITING}"] .card-text')
    socket.delta((WRITING, 1, 0, "line\n" * 100))
    wait_for(watched, lambda: len(draft(watched)) == 500)
    assert box.evaluate("(box) => box.scrollHeight - box.scrollTop - box.clientHeight") < 5

    box.evaluate("(box) => (box.scrollTop = 40)")
    socket.delta((WRITING, 1, 500, "more\n" * 50))
    wait_for(watched, lambda: len(draft(watched)) == 750)

    assert box.evaluate("(box) => box.scrollTop") == 40


def test_the_clock_goes_on(watched: Page) -> None:
    first = watched.locator(".elapsed").text_content()

    wait_for(watched, lambda: watched.locator(".elapsed").text_content() != first)


def test_cancelling_takes_one_click(watched: Page, run: CouncilRun) -> None:
    watched.get_by_role("button", name="Cancel").click()

    expect(watched.get_by_role("heading", name="This run was cancelled")).to_be_visible()


def test_on_a_phone_one_card_is_open_and_stays_as_the_reader_left_it(
    context: BrowserContext, tab: Page, run: CouncilRun, socket: PlayedSocket
) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"/runs/{run.public_id}/")
    wait_for(tab, lambda: socket.asked)
    assert tab.locator(".card[open]").count() == 1

    tab.locator(f'[data-part="{WRITING}"] summary').click()
    finish_step(run, WRITING, "Now it is **done**.")
    socket.event(9, "opinion_completed", WRITING)

    expect(tab.locator(f'[data-part="{WRITING}"] strong')).to_be_visible()


def test_without_scripts_the_page_refreshes_itself(
    browser: Browser, context: BrowserContext, run: CouncilRun, live_server: LiveServer
) -> None:
    plain = browser.new_context(java_script_enabled=False, storage_state=context.storage_state(), base_url=live_server.url)
    page = plain.new_page()
    page.goto(f"/runs/{run.public_id}/")
    expect(page.locator(f'[data-part="{WRITING}"]')).to_contain_text("writing")
    finish_step(run, WRITING, "Now it is **done**.")

    expect(page.locator(f'[data-part="{WRITING}"] strong')).to_have_text("done")
    plain.close()


def test_a_finished_run_opens_no_socket(tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket) -> None:
    tab.goto(f"/runs/{make_run(owner=ada, council=council).public_id}/")
    tab.wait_for_timeout(300)

    assert socket.routes == []
