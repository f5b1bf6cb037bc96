"""A phone that runs no script: forms, links and pages that refresh themselves are enough for everything."""

import pytest
from playwright.sync_api import Page, expect

from councils.engine.types import RunStatus, StepStatus
from councils.models import AnswerPick, CouncilConfiguration, CouncilRun, Feedback, User
from councils.tests import scenes
from councils.tests.blind import make_blind_run
from councils.tests.factories import RunPlan, make_run


@pytest.fixture(autouse=True)
def nobody_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions are asked for real, and stay queued."""
    monkeypatch.setattr("councils.services.asking.tasks.start", lambda _run: None)


def test_asking_watching_and_following_up(plain: Page, ada: User, council: CouncilConfiguration) -> None:
    plain.goto("/")
    plain.get_by_label("Your question").fill("Is it enough?")
    plain.get_by_role("button", name="Ask the council").click()
    plain.wait_for_url("**/runs/*/")
    expect(plain.get_by_role("heading", name="Is it enough?")).to_be_visible()
    run = CouncilRun.objects.get()
    assert run.message.text == "Is it enough?"
    CouncilRun.objects.update(status=RunStatus.SUCCEEDED.value, answer="It **is**.", answer_by="chairman", finished_at=run.created_at)
    # Nobody reloads: the page refreshes itself.
    expect(plain.locator(".answer strong")).to_have_text("is")

    plain.get_by_label("Ask a follow-up").fill("And then?")
    whom = plain.get_by_label("Whom do you ask?")
    whom.select_option(whom.locator("option", has_text="Skeptic").first.get_attribute("value"))
    plain.get_by_role("button", name="Ask", exact=True).click()
    plain.wait_for_url(lambda url: "/runs/" in url and run.public_id not in url)
    newer = CouncilRun.objects.latest("pk")
    assert (newer.message.text, newer.member, newer.conversation) == ("And then?", "agent_2", run.conversation)


def test_stopping_an_answer(plain: Page, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)
    plain.goto(f"/runs/{run.public_id}/")
    plain.get_by_role("button", name="Cancel").click()

    expect(plain.get_by_role("heading", name="This run was cancelled")).to_be_visible()


def test_retrying_what_failed_and_finding_both_versions(plain: Page, ada: User, council: CouncilConfiguration) -> None:
    done, failed = StepStatus.DONE, StepStatus.FAILED
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=RunPlan(opinions=[done, failed, failed, failed]))
    plain.goto(f"/runs/{run.public_id}/")
    plain.get_by_role("button", name="Retry what failed").click()
    plain.wait_for_url(lambda url: "/runs/" in url and run.public_id not in url)

    newer = CouncilRun.objects.latest("pk")
    assert (newer.based_on, newer.message) == (run, run.message)
    versions = plain.get_by_role("navigation", name="Versions of the answer")
    expect(versions).to_contain_text("Version 2 of 2")
    versions.get_by_role("link").click()
    plain.wait_for_url(f"**/runs/{run.public_id}/")


def test_judging_an_answer_with_a_reason_and_taking_it_back(plain: Page, ada: User, council: CouncilConfiguration) -> None:
    plain.goto(f"/runs/{make_run(owner=ada, council=council).public_id}/")
    plain.get_by_role("button", name="Poor answer").click()
    expect(plain.get_by_text("You find this a poor answer.")).to_be_visible()
    plain.get_by_label("Why?").fill("It forgot the invoice.")
    plain.get_by_role("button", name="Keep the reason").click()
    expect(plain.get_by_label("Why?")).to_have_value("It forgot the invoice.")
    assert Feedback.objects.get().reason == "It forgot the invoice."

    plain.get_by_role("button", name="Take it back").click()
    expect(plain.get_by_label("Why?")).to_have_count(0)
    assert not Feedback.objects.exists()


def test_picking_the_best_answer_shows_the_names(plain: Page, ada: User) -> None:
    run = make_blind_run(ada)
    plain.goto(f"/runs/{run.public_id}/")
    expect(plain.locator("main")).not_to_contain_text("Analyst")
    plain.get_by_role("button", name="Answer 1").click()

    expect(plain.locator(".picked")).to_be_visible()
    expect(plain.locator("main")).to_contain_text("Analyst")
    assert AnswerPick.objects.get().run == run


def test_choosing_language_and_look(plain: Page, ada: User, council: CouncilConfiguration) -> None:
    plain.goto("/conversations/")
    plain.get_by_role("button", name="Dark").click()
    expect(plain.locator("html")).to_have_attribute("data-theme", "dark")
    plain.get_by_role("button", name="Français").click()

    expect(plain.locator("html")).to_have_attribute("lang", "fr")
    expect(plain.locator("html")).to_have_attribute("data-theme", "dark")
    assert plain.url.endswith("/conversations/")
