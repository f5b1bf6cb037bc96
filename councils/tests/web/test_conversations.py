from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import Conversation, CouncilConfiguration, CouncilRun, User
from councils.tests.factories import make_council, make_run


def test_the_list_shows_each_conversation_with_its_newest_state(page: Client, ada: User, council: CouncilConfiguration) -> None:
    first = make_run(owner=ada, council=council, question="First?")
    make_run(owner=ada, council=council, question="And then?", status=RunStatus.FAILED, conversation=first.conversation)

    text = page.get("/conversations/").text

    assert "First?" in text
    assert "Failed" in text
    assert "Answered" not in text
    assert "2 questions" in text


def test_the_list_begins_with_what_was_touched_last(page: Client, ada: User, council: CouncilConfiguration) -> None:
    runs = [make_run(owner=ada, council=council, question=f"Question {n}?") for n in range(3)]
    Conversation.objects.filter(pk=runs[0].conversation_id).update(updated_at=timezone.now() + timedelta(minutes=1))

    text = page.get("/conversations/").text

    assert text.index("Question 0?") < text.index("Question 2?") < text.index("Question 1?")


def test_the_list_is_paged(page: Client, ada: User) -> None:
    for number in range(26):
        Conversation.objects.create(owner=ada, title=f"Conversation {number}")

    first, second = page.get("/conversations/").text, page.get("/conversations/", {"page": 2}).text

    assert "Page 1 of 2" in first
    assert "Conversation 25" in first
    assert "Conversation 0" not in first
    assert "Conversation 0" in second


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "x", "1.5", "", "\x00"])
def test_an_absurd_page_number_gives_a_page(page: Client, ada: User, number: str) -> None:
    Conversation.objects.create(owner=ada, title="The only one")

    assert "The only one" in page.get("/conversations/", {"page": number}).text


def test_an_empty_list_says_what_to_do(page: Client) -> None:
    assert "No conversations yet" in page.get("/conversations/").text


@pytest.mark.parametrize("field", ["deleted_at", "archived_at"])
def test_what_was_put_away_is_not_listed(page: Client, ada: User, field: str) -> None:
    Conversation.objects.create(owner=ada, title="Put away", **{field: timezone.now()})

    assert "Put away" not in page.get("/conversations/").text


def test_a_conversation_shows_its_questions_and_answers_in_order(page: Client, ada: User, council: CouncilConfiguration) -> None:
    first = make_run(owner=ada, council=council, question="First?", answer="**One**")
    second = make_run(owner=ada, council=council, question="Second?", answer="Two", conversation=first.conversation)

    text = page.get(f"/conversations/{first.conversation.public_id}/").text

    assert text.index("<strong>One</strong>") < text.index("Second?") < text.index("Two")
    assert f"/runs/{first.public_id}/" in text
    assert f"/runs/{second.public_id}/" in text


def test_a_question_without_an_answer_shows_the_reason(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED, reason="No member answered: Analyst (timeout).")

    assert "No member answered: Analyst (timeout)." in page.get(f"/conversations/{run.conversation.public_id}/").text


def test_a_follow_up_goes_on_in_the_same_conversation(page: Client, ada: User, council: CouncilConfiguration) -> None:
    thread = make_run(owner=ada, council=council).conversation

    response = page.post(f"/conversations/{thread.public_id}/", {"council": council.slug, "question": "And for teams?"})

    newest = thread.runs.latest("pk")
    assert response["Location"] == f"/runs/{newest.public_id}/"
    assert newest.message.text == "And for teams?"
    assert Conversation.objects.count() == 1


def test_a_follow_up_may_go_to_another_council(page: Client, ada: User, council: CouncilConfiguration) -> None:
    thread, other = make_run(owner=ada, council=council).conversation, make_council(name="Other")

    page.post(f"/conversations/{thread.public_id}/", {"council": other.slug, "question": "And you?"})

    assert thread.runs.latest("pk").council == other


def test_while_a_question_is_being_answered_there_is_no_box_for_the_next(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING)

    text = page.get(f"/conversations/{run.conversation.public_id}/").text

    assert "still being answered" in text
    assert "<textarea" not in text
    assert '<noscript><meta http-equiv="refresh"' in text


def test_a_follow_up_sent_too_early_is_kept(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING)

    response = page.post(f"/conversations/{run.conversation.public_id}/", {"council": council.slug, "question": "Too early?"})

    assert response.status_code == 409
    assert "Wait for it or cancel it" in response.text
    assert ">Too early?</textarea>" in response.text
    assert "http-equiv" not in response.text
    assert CouncilRun.objects.count() == 1


def test_the_conversation_of_a_deleted_council_offers_the_others(page: Client, ada: User, council: CouncilConfiguration) -> None:
    thread = make_run(owner=ada, council=council).conversation
    other = make_council(name="Other")
    council.delete()

    text = page.get(f"/conversations/{thread.public_id}/").text

    assert f'value="{other.slug}" selected' in text


def test_a_long_conversation_opens_at_its_end(page: Client, ada: User, council: CouncilConfiguration) -> None:
    thread = Conversation.objects.create(owner=ada, council=council, title="Long")
    for number in range(21):
        make_run(owner=ada, council=council, question=f"Turn {number}?", status=RunStatus.FAILED, conversation=thread)

    end, start = page.get(f"/conversations/{thread.public_id}/").text, page.get(f"/conversations/{thread.public_id}/", {"page": 1}).text

    assert "Turn 20?" in end
    assert "Turn 0?" not in end
    assert "Turn 0?" in start


def test_a_conversation_nobody_asked_in_yet_can_be_asked_in(page: Client, ada: User, council: CouncilConfiguration) -> None:
    thread = Conversation.objects.create(owner=ada, title="")

    text = page.get(f"/conversations/{thread.public_id}/").text

    assert "Nothing was asked yet" in text
    assert "<textarea" in text
