"""The pages in a real browser: forms, keys, hostile text, narrow screens."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from councils.models import CouncilConfiguration, CouncilRun, RunStep, User
from councils.tests import scenes
from councils.tests.browser.support import Faults, PlayedSocket
from councils.tests.factories import make_council, make_run

HOSTILE: list[str] = json.loads((Path(__file__).parents[1] / "data" / "hostile_markdown.json").read_text("utf-8"))
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


def test_hostile_text_does_nothing_on_any_page(tab: Page, ada: User, faults: Faults) -> None:
    attack = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
    council = make_council(name=attack, description=attack)
    council.members.update(name=attack)
    run = make_run(owner=ada, council=council, question=attack, answer="\n\n".join(HOSTILE).replace("\x00", ""), reason=attack)
    for step, start in zip(RunStep.objects.filter(run=run, stage="opinions"), range(0, len(HOSTILE), 8), strict=False):
        step.text = "\n\n".join(HOSTILE[start : start + 8]).replace("\x00", "")
        step.save()

    for path in ("/", "/conversations/", f"/conversations/{run.conversation.public_id}/", f"/runs/{run.public_id}/"):
        tab.goto(path)
        tab.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        tab.wait_for_timeout(100)
    assert faults.seen == []


def test_each_hostile_payload_alone_does_nothing_when_it_is_swapped_in(
    tab: Page, ada: User, council: CouncilConfiguration, faults: Faults
) -> None:
    run = make_run(owner=ada, council=council)
    tab.goto(f"/runs/{run.public_id}/")
    for payload in HOSTILE:
        RunStep.objects.filter(run=run, key="opinion:agent_1").update(text=payload.replace("\x00", ""))
        tab.evaluate(
            """async (path) => {
                const html = await (await fetch(path)).text();
                const arrived = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
                document.querySelector('[data-part="opinion:agent_1"]').replaceWith(document.adoptNode(arrived));
            }""",
            f"/runs/{run.public_id}/parts/opinion:agent_1/",
        )
    assert faults.seen == []


@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_no_page_is_wider_than_the_screen(tab: Page, ada: User, council: CouncilConfiguration, width: int) -> None:
    runs = [scenes.extreme(ada), scenes.contested(ada, council), scenes.failed(ada, council)]
    paths = ["/", "/conversations/", *(f"/runs/{run.public_id}/" for run in runs), f"/conversations/{runs[0].conversation.public_id}/"]
    tab.set_viewport_size({"width": width, "height": 844})

    for path in paths:
        tab.goto(path)
        tab.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((v, place) => v * a + below[place] * (1 - a));
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const own = rgb(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? ground(element.parentElement) : own.length === 4 ? over(own, ground(element.parentElement)) : own;
  };
  const faults = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const shown = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!text || !shown || element.closest(".visually-hidden, .skip, svg")) continue;
    const style = getComputedStyle(element);
    const [behind, front] = [ground(element), over(rgb(style.color), ground(element))];
    const strength = Number(style.opacity);
    const [a, b] = [light(behind), light(over([...front, strength], behind))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faults.push(`${element.className || element.tagName}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return [...new Set(faults)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(tab: Page, ada: User, council: CouncilConfiguration, scheme: str) -> None:
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    runs = [scenes.contested(ada, council), scenes.failed(ada, council), scenes.cancelled(ada, council), scenes.usual(ada, council)]

    for path in ("/", "/conversations/", *(f"/runs/{run.public_id}/" for run in runs)):
        tab.goto(path)
        tab.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        assert tab.evaluate(CONTRAST) == [], path


def test_our_own_styles_and_scripts_stay_small() -> None:
    ours = (Path(__file__).parents[3] / "static" / "councils").glob("*.*s")

    assert 0 < sum(path.stat().st_size for path in ours) < 60_000
