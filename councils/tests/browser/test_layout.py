"""What stands where: one row of header, bars that can be compared, edges that show that something goes on behind them."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from councils.engine.types import StepStatus
from councils.models import CouncilConfiguration, RunStep, User
from councils.tests import scenes
from councils.tests.browser.support import PlayedSocket

OPEN_ALL = "document.querySelectorAll('details').forEach((fold) => (fold.open = true))"


def middles(page: Page, selector: str) -> set[int]:
    """How many rows these elements stand in."""
    boxes: list[dict[str, Any]] = page.locator(selector).evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().toJSON())")
    return {round(box["top"] + box["height"] / 2) for box in boxes}


@pytest.mark.parametrize("width", [360, 390, 1440])
def test_the_header_of_staff_is_one_row(tab: Page, ada: User, council: CouncilConfiguration, width: int) -> None:
    User.objects.update(is_staff=True)
    tab.set_viewport_size({"width": width, "height": 844})
    tab.goto("/")

    rows = middles(tab, ".site .brand, .site nav a, .site .sign-out button")
    assert max(rows) - min(rows) <= 2
    button = tab.get_by_role("button", name="Sign out").bounding_box()
    assert button is not None
    assert button["x"] + button["width"] <= width


@pytest.mark.parametrize("width", [390, 1440])
def test_bars_of_the_run_off_have_one_length(tab: Page, ada: User, council: CouncilConfiguration, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 844})
    tab.goto(f"/runs/{scenes.contested(ada, council).public_id}/")
    tab.evaluate(OPEN_ALL)

    lengths = tab.locator(".run-off .bar").evaluate_all("(bars) => bars.map((bar) => Math.round(bar.getBoundingClientRect().width))")
    assert len(lengths) > 4
    assert len(set(lengths)) == 1


def test_a_table_that_goes_on_shows_it_until_its_end_is_reached(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"/runs/{scenes.contested(ada, council).public_id}/")
    tab.evaluate(OPEN_ALL)
    table = tab.locator("#costs .scroll-x")
    shade = "(box) => Number(getComputedStyle(box, '::after').opacity)"
    assert table.evaluate(shade) == 1

    table.evaluate("(box) => box.scrollTo({ left: box.scrollWidth, behavior: 'instant' })")

    expect(table).to_be_visible()
    tab.wait_for_function("() => getComputedStyle(document.querySelector('#costs .scroll-x'), '::after').opacity === '0'")


def test_a_text_that_is_cut_fades_and_one_that_fits_does_not(
    tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket
) -> None:
    run = scenes.live(ada, council)
    RunStep.objects.filter(run=run, key="opinion:agent_1", status=StepStatus.DONE.value).update(text="Word for word. " * 300)
    tab.goto(f"/runs/{run.public_id}/")

    cut = "(box) => getComputedStyle(box).getPropertyValue('--cut')"
    assert tab.locator('[data-part="opinion:agent_1"] .card-text').evaluate(cut) != "0px"
    assert tab.locator('[data-part="opinion:agent_3"] .card-text').evaluate(cut) == "0px"
