"""Watching a whole run: nothing jumps, little is said aloud, readers stay where they read."""

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from councils.models import CouncilConfiguration, User
from councils.tests import scenes
from councils.tests.browser.playing import PlayedRun
from councils.tests.browser.support import PlayedSocket, wait_for
from councils.tests.factories import make_council

MOST_SHIFT = 0.02
WATCH = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries()) {
      const moved = shift.sources.map(({ node }) => node?.className || node?.nodeName);
      if (!shift.hadRecentInput) window.shifts.push([shift.value, moved.join(", ")]);
    }
  }).observe({ type: "layout-shift", buffered: true });
  window.said = [];
  addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("announce");
    new MutationObserver(() => window.said.push(place.textContent)).observe(place, { childList: true, characterData: true, subtree: true });
  });
"""


@pytest.fixture
def played(ada: User, council: CouncilConfiguration, socket: PlayedSocket) -> PlayedRun:
    cache.clear()
    return PlayedRun(ada, council, socket)


def watch(tab: Page, played: PlayedRun, socket: PlayedSocket, *, until: str = "end") -> None:
    """Look at the run until this has happened, and until the page shows it."""
    tab.add_init_script(WATCH)
    tab.goto(f"/runs/{played.run.public_id}/")
    wait_for(tab, lambda: socket.asked)
    for step in played.play():
        tab.wait_for_timeout(10 if step == "text" else 200)
        if step == until:
            break
    tab.wait_for_timeout(400)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desk", "phone"])
def test_nothing_jumps_in_a_whole_run(tab: Page, played: PlayedRun, socket: PlayedSocket, size: tuple[int, int]) -> None:
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    watch(tab, played, socket)

    expect(tab.locator(".answer .prose")).to_be_visible()
    shifts = tab.evaluate("window.shifts")
    assert sum(value for value, _moved in shifts) < MOST_SHIFT, shifts


def test_each_stage_is_said_once_and_counts_are_not(tab: Page, played: PlayedRun, socket: PlayedSocket) -> None:
    watch(tab, played, socket)
    wait_for(tab, lambda: "ended" in tab.locator("#announce").inner_text())

    said = [sentence for sentence in tab.evaluate("window.said") if sentence]
    assert said[-1] == "The run has ended: Answered."
    assert len(said) == len(set(said)) <= 4
    assert not any(character.isdigit() for sentence in said for character in sentence)


def test_somebody_who_reads_a_card_goes_on_reading_it_after_the_end(tab: Page, played: PlayedRun, socket: PlayedSocket) -> None:
    tab.set_viewport_size({"width": 390, "height": 700})
    watch(tab, played, socket, until="synthesis")
    card = tab.locator('[data-part="opinion:agent_3"]')
    card.locator("summary").first.click()
    card.evaluate("(card) => scrollBy(0, card.getBoundingClientRect().top - 250)")
    tab.wait_for_timeout(100)
    before = card.bounding_box()
    played._end()

    expect(tab.locator(".answer .prose")).to_be_attached()
    after = card.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
    expect(card.locator(".prose")).to_be_visible()


def test_a_button_leads_to_the_chairman_who_writes_out_of_sight(
    tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket
) -> None:
    tab.set_viewport_size({"width": 390, "height": 700})
    tab.goto(f"/runs/{scenes.synthesising(ada, council).public_id}/")
    button = tab.locator("#to-chair")
    button.click()

    expect(tab.locator(".chair-text")).to_be_in_viewport()
    expect(button).to_be_hidden()


def test_the_time_and_the_tokens_of_a_member_at_work_count_up(
    tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket
) -> None:
    cache.clear()
    tab.goto(f"/runs/{scenes.live(ada, council).public_id}/")
    wait_for(tab, lambda: socket.asked)
    card = tab.locator('[data-part="opinion:agent_2"]')
    first = card.locator(".working").inner_text()
    socket.delta(("opinion:agent_2", 1, 0, "x" * 4004))

    expect(card.locator(".card-foot")).to_contain_text("about 1,001 tokens")
    wait_for(tab, lambda: card.locator(".working").inner_text() > first)


def test_nine_members_who_write_much_do_not_jump_either(tab: Page, ada: User, socket: PlayedSocket) -> None:
    cache.clear()
    played = PlayedRun(ada, make_council(seats=9), socket, chars=600)
    tab.set_viewport_size({"width": 1440, "height": 900})
    watch(tab, played, socket)

    shifts = tab.evaluate("window.shifts")
    assert sum(value for value, _moved in shifts) < MOST_SHIFT, shifts
