"""Thumbs and blind picks in a real browser: with scripts, without, and at the width of a phone."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import AnswerPick, CouncilConfiguration, CouncilRun, Feedback, RunStep, User
from councils.services.veiling import Veil, veil_of
from councils.tests.blind import ALL_IN, make_blind_run, words_that_tell
from councils.tests.browser.conftest import visitor
from councils.tests.browser.support import Faults, PlayedSocket, wait_for
from councils.tests.factories import RunPlan, add_step, make_run

DONE, RUNNING = StepStatus.DONE, StepStatus.RUNNING


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, ada: User) -> Iterator[Page]:
    """A page of a browser without JavaScript, as narrow as a phone."""
    context: BrowserContext = visitor(browser, live_server.url, ada, javascript=False)
    faults = Faults(context, live_server.url)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    yield page
    context.close()
    assert faults.seen == []


def path(run: CouncilRun) -> str:
    return f"/runs/{run.public_id}/"


def veil(run: CouncilRun) -> Veil:
    found = veil_of(CouncilRun.objects.get(pk=run.pk))
    assert found is not None
    return found


def told(run: CouncilRun, page: Page) -> list[str]:
    html = page.content().casefold()
    return [word for word in words_that_tell(run) if word.casefold() in html]


def kept() -> list[tuple[str, str]]:
    return list(Feedback.objects.values_list("verdict", "reason"))


def test_a_thumb_is_kept_spoken_and_focused_without_a_reload(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.goto(path(make_run(owner=ada, council=council)))
    tab.evaluate("document.body.dataset.same = 'page'")

    tab.get_by_role("button", name="Poor answer").click()

    expect(tab.locator("#announce")).to_have_text("You find this a poor answer. It is kept.")
    expect(tab.get_by_role("button", name="Poor answer")).to_be_focused()
    expect(tab.get_by_role("button", name="Poor answer", pressed=True)).to_be_visible()
    tab.get_by_label("Why?").fill("It does not say\nwhy.")
    tab.get_by_role("button", name="Keep the reason").click()
    wait_for(tab, lambda: kept() == [("down", "It does not say\nwhy.")])
    tab.get_by_role("button", name="Good answer").click()
    wait_for(tab, lambda: kept() == [("up", "It does not say\nwhy.")])
    tab.get_by_role("button", name="Take it back").click()

    expect(tab.locator("#announce")).to_have_text("Your judgement is taken back.")
    assert kept() == []
    assert tab.evaluate("document.body.dataset.same") == "page"


def test_thumbs_work_without_scripts_and_lead_back_to_their_place(plain: Page, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    plain.goto(path(run))

    plain.get_by_role("button", name="Good answer").click()
    plain.wait_for_url("**/#thumbs")
    plain.get_by_label("Why?").fill("Clear.")
    plain.get_by_role("button", name="Keep the reason").click()
    expect(plain.get_by_text("You find this a good answer.")).to_be_in_viewport()

    assert kept() == [("up", "Clear.")]
    plain.get_by_role("button", name="Take it back").click()
    expect(plain.get_by_label("Why?")).to_have_count(0)
    assert kept() == []


def test_a_blind_run_streams_under_numbers_and_is_picked_while_the_review_runs(tab: Page, ada: User, socket: PlayedSocket) -> None:
    cache.clear()
    run = make_blind_run(ada, plan=RunPlan(opinions=[DONE, DONE, DONE, RUNNING]), status=RunStatus.RUNNING, next_seq=9)
    key = veil(run).key("opinion:agent_4")
    assert key is not None
    tab.goto(path(run))
    wait_for(tab, lambda: socket.asked)
    socket.delta((key, 1, 0, "As it is written"))
    expect(tab.locator(f'[data-draft="{key}"]')).to_have_text("As it is written")
    expect(tab.get_by_text("when the answers are all in")).to_be_visible()

    RunStep.objects.filter(run=run, key="opinion:agent_4").update(status=DONE.value, text="The **whole** text.")
    add_step(run, "review:agent_1", Stage.REVIEW, RUNNING)
    socket.event(9, "opinion_completed")
    choice = tab.get_by_role("button", name=f"Answer {veil(run).numbers['agent_4']}", exact=True)
    expect(choice).to_be_visible()
    assert told(run, tab) == []
    choice.click()

    expect(tab.get_by_text("You picked Operator's answer.")).to_be_visible()
    assert AnswerPick.objects.get().candidate == "agent_4"
    assert {"Analyst", "Skeptic", "Customer", "Operator"} <= set(told(run, tab))


def test_a_pick_in_another_tab_opens_this_one(tab: Page, ada: User, socket: PlayedSocket) -> None:
    run = make_blind_run(ada, plan=ALL_IN, status=RunStatus.RUNNING, next_seq=9)
    tab.goto(path(run))
    wait_for(tab, lambda: socket.asked)
    AnswerPick.objects.create(run=run, by=ada, outcome="equal", shown=[])

    socket.send({"type": "changed"})

    expect(tab.get_by_text("You found the answers equally good.")).to_be_visible()
    expect(tab.locator("#opinion-agent_1")).to_be_visible()


@pytest.mark.parametrize(("choice", "sentence"), [("They are equally good", "You found the answers equally good"), ("Show the names", "")])
def test_a_finished_blind_run_opens_without_scripts_on_a_phone(plain: Page, ada: User, choice: str, sentence: str) -> None:
    run = make_blind_run(ada)
    plain.goto(path(run))
    assert told(run, plain) == []
    assert plain.evaluate("document.documentElement.scrollWidth") == 390
    button = plain.get_by_role("button", name=choice)
    expect(button).to_be_in_viewport()

    button.click()

    expect(plain.locator("#pick")).to_have_count(0)
    expect(plain.get_by_text(sentence).first).to_be_visible()
    assert "Analyst" in told(run, plain)


def test_the_choice_to_ask_blind_is_made_by_keyboard_and_kept(tab: Page, council: CouncilConfiguration, socket: PlayedSocket) -> None:
    tab.goto("/")
    box = tab.get_by_label("Hide who wrote what until I have picked the best answer")
    box.focus()
    tab.keyboard.press("Space")
    tab.get_by_label("Your question").fill("Which is best?")
    tab.get_by_role("button", name="Ask the council").click()
    tab.wait_for_url("**/runs/**")

    assert CouncilRun.objects.get().blind
    tab.goto("/")
    expect(box).to_be_checked()
