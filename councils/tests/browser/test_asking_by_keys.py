"""The box for a question: keys, its length, a broken connection, another tab; and the choice of a council by keyboard."""

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from councils.models import Conversation, CouncilConfiguration, CouncilRun, User
from councils.tests.browser.support import Faults, PlayedSocket
from councils.tests.factories import make_council

QUESTION = "#id_question"


@pytest.fixture(autouse=True)
def nobody_drives(monkeypatch: pytest.MonkeyPatch, socket: PlayedSocket) -> None:
    """Questions are asked for real, and stay queued."""
    monkeypatch.setattr("councils.services.asking.tasks.start", lambda _run: None)


def leave_box(tab: Page) -> None:
    tab.evaluate("document.activeElement.blur()")


class TestKeys:
    def test_a_slash_leads_to_the_box_and_can_be_typed_there(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/")
        leave_box(tab)
        tab.keyboard.press("/")
        expect(tab.locator(QUESTION)).to_be_focused()
        tab.keyboard.type("and/or?")

        expect(tab.locator(QUESTION)).to_have_value("and/or?")
        expect(tab.locator("#keys")).to_be_hidden()

    def test_a_slash_leads_to_the_search_of_the_list(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/conversations/")
        tab.keyboard.press("/")

        expect(tab.locator("#q")).to_be_focused()

    def test_a_question_mark_shows_the_keys_and_escape_hides_them(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/conversations/")
        tab.keyboard.press("?")
        expect(tab.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        tab.keyboard.press("Escape")
        expect(tab.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()

    def test_single_keys_can_be_switched_off_for_good(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/conversations/")
        tab.get_by_role("button", name="Shortcuts").click()
        tab.get_by_label("Single keys").uncheck()
        tab.get_by_role("button", name="Close").click()
        tab.goto("/conversations/")
        tab.keyboard.press("/")

        expect(tab.locator("#q")).not_to_be_focused()

    def test_escape_folds_the_tools_of_a_line(self, tab: Page, ada: User, council: CouncilConfiguration) -> None:
        Conversation.objects.create(owner=ada, title="Harbour")
        tab.goto("/conversations/")
        tab.locator("details.tools summary").click()
        tab.get_by_label("Title", exact=True).focus()
        tab.keyboard.press("Escape")

        expect(tab.get_by_label("Title", exact=True)).to_be_hidden()
        expect(tab.locator("details.tools summary")).to_be_focused()


class TestLength:
    def test_a_question_that_is_too_long_is_told_and_not_sent(self, tab: Page, council: CouncilConfiguration) -> None:
        sent: list[str] = []
        tab.on("request", lambda request: sent.append(request.method))
        tab.goto("/")
        tab.locator(QUESTION).fill("x" * 200_001)
        expect(tab.locator("[data-question-watch]")).to_have_text("The question is too long. Characters too many: 1")
        tab.keyboard.press("Control+Enter")
        tab.locator(QUESTION).fill("x" * 199_990)
        expect(tab.locator("[data-question-watch]")).to_have_text("Characters left: 10")

        assert "POST" not in sent

    def test_characters_are_counted_as_the_server_counts_them(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/")
        tab.locator(QUESTION).fill("🦉" * 200_000 + "  \n")

        expect(tab.locator("[data-question-watch]")).to_have_text("Characters left: 0")

    def test_of_a_short_question_nothing_is_counted(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/")
        tab.locator(QUESTION).fill("Why?")

        expect(tab.locator("[data-question-watch]")).to_be_hidden()


class TestABrokenConnection:
    def test_what_was_lost_on_the_way_is_kept_and_asked_once(
        self, tab: Page, context: BrowserContext, council: CouncilConfiguration, faults: Faults
    ) -> None:
        """The server takes the question, but its reply is lost: the worst case for a second try."""
        tab.goto("/")

        def lose_reply(route: Route) -> None:
            if route.request.method == "POST":
                route.fetch(max_redirects=0)
                route.abort("connectionreset")
            else:
                route.continue_()

        tab.route("**/", lose_reply)
        tab.locator(QUESTION).fill("Still there?")
        tab.keyboard.press("Control+Enter")
        expect(tab.locator("[data-question-watch]")).to_contain_text("there is no connection")
        expect(tab.locator(QUESTION)).to_have_value("Still there?")
        tab.unroute("**/")
        tab.keyboard.press("Control+Enter")

        tab.wait_for_url("**/runs/*/")
        assert CouncilRun.objects.count() == 1
        faults.seen[:] = faults.beside_lost_connections()

    def test_an_error_of_the_site_leaves_the_page_as_it_is(self, tab: Page, council: CouncilConfiguration, faults: Faults) -> None:
        tab.goto("/")
        tab.route("**/", lambda route: route.fulfill(status=502, body="") if route.request.method == "POST" else route.continue_())
        tab.locator(QUESTION).fill("Still there?")
        tab.get_by_role("button", name="Ask the council").click()

        expect(tab.locator("[data-question-watch]")).to_contain_text("the site gave an error")
        expect(tab.locator(QUESTION)).to_have_value("Still there?")
        expect(tab.get_by_role("button", name="Ask the council")).to_be_enabled()
        faults.seen[:] = [fault for fault in faults.seen if "502" not in fault]

    def test_a_refusal_of_the_server_stands_in_the_form(self, tab: Page, council: CouncilConfiguration, faults: Faults) -> None:
        tab.goto("/")
        CouncilConfiguration.objects.update(is_active=False)
        make_council(name="Another")
        tab.locator(QUESTION).fill("Who answers?")
        tab.keyboard.press("Control+Enter")

        expect(tab.get_by_role("alert")).to_contain_text("This council cannot be asked any more.")
        expect(tab.locator(QUESTION)).to_have_value("Who answers?")
        faults.seen[:] = [fault for fault in faults.seen if "400" not in fault]


def test_a_draft_goes_along_to_another_tab_and_ends_there_too(tab: Page, context: BrowserContext, council: CouncilConfiguration) -> None:
    other = context.new_page()
    other.goto("/")
    tab.goto("/")
    tab.locator(QUESTION).fill("In both?")
    expect(other.locator(QUESTION)).to_have_value("In both?")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_url("**/runs/*/")

    expect(other.locator(QUESTION)).to_have_value("")


class TestChoosing:
    def test_arrow_keys_choose_and_leave_out_what_cannot_be_asked(self, tab: Page, council: CouncilConfiguration) -> None:
        make_council(name="Zebra council")
        make_council(name="Broken", quorum=9)
        tab.goto("/")
        tab.get_by_role("radio", name="Pricing council").focus()
        tab.keyboard.press("ArrowDown")
        expect(tab.get_by_role("radio", name="Zebra council")).to_be_checked()
        tab.keyboard.press("ArrowDown")

        expect(tab.get_by_role("radio", name="Pricing council")).to_be_checked()
        expect(tab.get_by_role("radio", name="Broken")).to_be_disabled()

    def test_a_long_list_is_searched_and_enter_takes_the_first_found(self, tab: Page, council: CouncilConfiguration) -> None:
        for number in range(29):
            make_council(name=f"Council {number}", description="For harbours." if number == 17 else "")
        tab.goto("/")
        tab.get_by_label("Search the councils").fill("HARBOUR")
        expect(tab.locator(".council:visible")).to_have_count(1)
        tab.keyboard.press("Enter")

        expect(tab.get_by_role("radio", name="Council 17")).to_be_checked()
        expect(tab.get_by_role("radio", name="Council 17")).to_be_focused()

    def test_a_search_that_finds_nothing_says_so_and_escape_ends_it(self, tab: Page, council: CouncilConfiguration) -> None:
        for number in range(5):
            make_council(name=f"Council {number}")
        tab.goto("/")
        tab.get_by_label("Search the councils").fill("nowhere")
        expect(tab.get_by_text("No council has these words.")).to_be_visible()
        tab.keyboard.press("Escape")

        expect(tab.locator(".council:visible")).to_have_count(6)

    def test_an_example_fills_the_box_and_is_undone_by_the_usual_keys(self, tab: Page, council: CouncilConfiguration) -> None:
        tab.goto("/")
        tab.locator(QUESTION).fill("My own")
        tab.locator("[data-example]").nth(1).click()
        expect(tab.locator(QUESTION)).to_have_value(tab.locator("[data-example]").nth(1).inner_text())
        tab.keyboard.press("Control+z")

        expect(tab.locator(QUESTION)).to_have_value("My own")
