"""Asking one member instead of the council in a follow-up, and how that shows."""

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils.html import strip_tags

from councils.engine.types import RunStatus, StepStatus
from councils.models import Conversation, CouncilConfiguration, CouncilRun, User
from councils.services.asking import ask_council
from councils.tests.factories import make_council, make_run
from councils.web.whom import whom_to_ask, with_whom


@pytest.fixture
def thread(ada: User, council: CouncilConfiguration) -> Conversation:
    return make_run(owner=ada, council=council).conversation


def follow_up(page: Client, thread: Conversation, whom: str, question: str = "And you?", **more: str) -> CouncilRun | None:
    page.post(f"/conversations/{thread.public_id}/", {"whom": whom, "question": question, **more})
    return thread.runs.order_by("-pk").exclude(message__text="How should we price the annual plan?").first()


def test_the_box_offers_the_council_its_members_and_the_other_councils(
    page: Client, thread: Conversation, council: CouncilConfiguration
) -> None:
    other = make_council(name="Other council")

    text = page.get(f"/conversations/{thread.public_id}/").text

    assert "Whom do you ask?" in text
    assert f'<optgroup label="Pricing council"><option value="{council.slug}" selected>The whole council</option>' in text
    assert f'<option value="{council.slug}:agent_2">Only Skeptic</option>' in text
    assert f'<optgroup label="Other councils"><option value="{other.slug}">Other council</option></optgroup>' in text
    assert f"{other.slug}:" not in text


def test_the_box_stands_on_the_page_of_the_newest_run_too(page: Client, thread: Conversation, council: CouncilConfiguration) -> None:
    assert f'value="{council.slug}:agent_1"' in page.get(f"/runs/{thread.runs.get().public_id}/").text


def test_a_member_can_be_asked_instead_of_the_council(page: Client, thread: Conversation, council: CouncilConfiguration) -> None:
    run = follow_up(page, thread, f"{council.slug}:agent_2")

    assert run is not None
    assert (run.course, run.member, run.member_name, run.council) == ("member", "agent_2", "Skeptic", council)
    assert [seat["agent_id"] for seat in run.spec_seats()] == ["agent_2"]


def test_the_whole_council_is_asked_where_nobody_is_named(page: Client, thread: Conversation, council: CouncilConfiguration) -> None:
    run = follow_up(page, thread, council.slug)

    assert run is not None
    assert (run.course, run.member) == ("full", "")


@pytest.mark.parametrize("agent_id", ["agent_9", "chairman", "agent_1:agent_2", "x" * 33, "\x00"])
def test_a_member_that_is_not_there_is_refused_and_the_text_kept(
    page: Client, thread: Conversation, council: CouncilConfiguration, agent_id: str
) -> None:
    response = page.post(f"/conversations/{thread.public_id}/", {"whom": f"{council.slug}:{agent_id}", "question": "And you?"})

    assert response.status_code == 400
    assert ">And you?</textarea>" in response.text
    assert CouncilRun.objects.count() == 1


@pytest.mark.parametrize("whom", ["", ":", ":agent_1", "nosuch", "nosuch:agent_1", "\x00"])
def test_a_council_that_is_not_there_is_refused(page: Client, thread: Conversation, whom: str) -> None:
    response = page.post(f"/conversations/{thread.public_id}/", {"whom": whom, "question": "And you?"})

    assert response.status_code == 400
    assert CouncilRun.objects.count() == 1


def test_whom_one_had_chosen_is_kept_when_the_question_is_refused(
    page: Client, thread: Conversation, council: CouncilConfiguration
) -> None:
    response = page.post(f"/conversations/{thread.public_id}/", {"whom": f"{council.slug}:agent_2", "question": " "})

    assert f'<option value="{council.slug}:agent_2" selected>' in response.text


def test_two_clicks_ask_a_member_once_and_another_member_is_another_question(
    page: Client, thread: Conversation, council: CouncilConfiguration
) -> None:
    for _ in range(2):
        first = follow_up(page, thread, f"{council.slug}:agent_1", nonce="n")
    assert first is not None
    CouncilRun.objects.filter(pk=first.pk).update(status="failed")

    second = follow_up(page, thread, f"{council.slug}:agent_2", nonce="n")

    assert second is not None
    assert (second.member, thread.runs.count()) == ("agent_2", 3)


def test_pages_say_who_of_which_council_was_asked(page: Client, ada: User, thread: Conversation, council: CouncilConfiguration) -> None:
    run, _ = ask_council(by=ada, council=council, question="And you?", conversation=thread, member="agent_2")

    for path in (f"/conversations/{thread.public_id}/", f"/runs/{run.public_id}/"):
        assert "Skeptic of Pricing council" in strip_tags(page.get(path).text)


def test_the_page_of_one_members_answer_says_nothing_of_a_council_at_work(
    page: Client, ada: User, thread: Conversation, council: CouncilConfiguration
) -> None:
    run, _ = ask_council(by=ada, council=council, question="And you?", conversation=thread, member="agent_2")
    run.steps.create(key="opinion:agent_2", stage="opinions", agent_id="agent_2", status=StepStatus.DONE.value, text="I doubt it.")
    CouncilRun.objects.filter(pk=run.pk).update(status="succeeded", answer="I doubt it.", answer_by="agent_2")

    text = strip_tags(page.get(f"/runs/{run.public_id}/").text)

    assert "in the words of Skeptic" in text
    assert "Only one member answered" not in text


def test_a_member_that_failed_can_be_asked_again_alone(
    page: Client, ada: User, thread: Conversation, council: CouncilConfiguration
) -> None:
    run, _ = ask_council(by=ada, council=council, question="And you?", conversation=thread, member="agent_2")
    CouncilRun.objects.filter(pk=run.pk).update(status="failed")

    page.post(f"/runs/{run.public_id}/again/", {"nonce": "n"})

    newer = run.message.deliberations.latest("pk")
    assert (newer.course, newer.member, newer.based_on) == ("member", "agent_2", run)
    assert "Skeptic answers once more, and that costs once more." not in page.get(f"/runs/{newer.public_id}/").text


def test_seats_that_only_review_are_not_offered(council: CouncilConfiguration) -> None:
    council.members.filter(agent_id="agent_2").update(answers=False)

    (group,) = whom_to_ask([council], council=council.slug, member="")

    assert [person.name for person in group.people] == ["The whole council", "Only Analyst", "Only Customer", "Only Operator"]


def test_where_no_council_is_chosen_there_are_only_councils(council: CouncilConfiguration) -> None:
    (group,) = whom_to_ask([council], council="", member="")

    assert (group.title, [person.value for person in group.people]) == ("Councils", [council.slug])


def test_forms_without_the_choice_are_left_as_they_are() -> None:
    sent = QueryDict("council=wise&question=Why")

    assert with_whom(sent) is sent
    assert with_whom(None) is None


def test_a_run_of_one_member_is_not_blind(page: Client, thread: Conversation, council: CouncilConfiguration) -> None:
    run = follow_up(page, thread, f"{council.slug}:agent_1", blind="on")

    assert run is not None
    assert not run.blind


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
def test_a_member_run_that_brought_nothing_offers_no_retry_beside_asking_again(
    page: Client, ada: User, thread: Conversation, council: CouncilConfiguration, status: RunStatus
) -> None:
    run, _ = ask_council(by=ada, council=council, question="And you?", conversation=thread, member="agent_2")
    CouncilRun.objects.filter(pk=run.pk).update(status=status.value)

    text = page.get(f"/runs/{run.public_id}/").text

    assert "Skeptic answers once more, and that costs once more." in text
    assert "/retry/" not in text
