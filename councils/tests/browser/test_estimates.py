"""The cost of a question while it is written."""

import pytest
from playwright.sync_api import Page, Route, expect

from councils.models import CouncilConfiguration
from councils.services.expecting import expectations
from councils.tests.browser.support import Faults
from councils.web.choosing import cost_of

LONG = "A question with many words. " * 300


def cost(council: CouncilConfiguration, question: str = "") -> str:
    stored = CouncilConfiguration.objects.with_details().get(pk=council.pk)
    return cost_of(expectations([stored], question=question)[council.pk])


def test_the_cost_follows_the_text(tab: Page, council: CouncilConfiguration) -> None:
    place = f'[data-cost-of="{council.pk}"]'
    tab.goto("/")
    expect(tab.locator(place)).to_have_text(cost(council))

    tab.fill("#id_question", LONG)
    expect(tab.locator(place)).to_have_text(cost(council, LONG.strip()))
    tab.fill("#id_question", "")
    expect(tab.locator(place)).to_have_text(cost(council))


def test_a_text_that_was_kept_in_the_browser_is_reckoned_with(tab: Page, council: CouncilConfiguration) -> None:
    tab.goto("/")
    tab.fill("#id_question", LONG)
    tab.goto("/conversations/")
    tab.goto("/")

    expect(tab.locator(f'[data-cost-of="{council.pk}"]')).to_have_text(cost(council, LONG.strip()))


@pytest.mark.parametrize("status", [429, 500])
def test_without_an_answer_the_page_keeps_what_it_said(tab: Page, faults: Faults, council: CouncilConfiguration, status: int) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=status, body="no")

    tab.route("**/estimate/", refuse)
    tab.goto("/")
    with tab.expect_response("**/estimate/"):
        tab.fill("#id_question", LONG)
    expect(tab.locator(f'[data-cost-of="{council.pk}"]')).to_have_text(cost(council))
    faults.seen.clear()
