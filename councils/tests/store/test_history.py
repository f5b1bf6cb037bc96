"""What of a conversation a new run is given to read."""

import pytest

from councils.models import Conversation, Message, User
from councils.services.asking import ask_council
from councils.store.claims import claim_run
from councils.tests.factories import make_council, make_user

pytestmark = pytest.mark.django_db


def history(*turns: tuple[str, str]) -> list[str]:
    """What a run is given whose question follows these turns."""
    ada: User = make_user("ada")
    council = make_council()
    thread = Conversation.objects.create(owner=ada, council=council)
    for role, text in turns:
        Message.objects.create(conversation=thread, role=role, text=text)
    run, _ = ask_council(by=ada, council=council, question="And now?", conversation=thread)
    claimed = claim_run(run.pk, worker="test")
    assert claimed is not None
    return [turn.content for turn in claimed.history]


def test_earlier_questions_come_with_their_answers_in_order() -> None:
    assert history(("user", "Why?"), ("assistant", "Because."), ("user", "How?"), ("assistant", "So.")) == [
        "Why?",
        "Because.",
        "How?",
        "So.",
    ]


def test_a_question_that_was_never_answered_is_left_out() -> None:
    assert history(("user", "Why?"), ("assistant", "Because."), ("user", "And now?")) == ["Why?", "Because."]


def test_the_first_question_has_no_history() -> None:
    assert history() == []
