"""What of a conversation a new run is given to read."""

import pytest

from councils.engine.types import RunStatus
from councils.models import Conversation, CouncilRun, Message, User
from councils.services.asking import ask_council
from councils.services.repeating import ask_again, regenerate_answer
from councils.store.claims import claim_run
from councils.store.runs import cancel
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db


def history(*turns: tuple[str, str]) -> list[str]:
    """What a run is given whose question follows these turns."""
    ada: User = make_user("ada")
    council = make_council()
    thread = Conversation.objects.create(owner=ada, council=council)
    for role, text in turns:
        Message.objects.create(conversation=thread, role=role, text=text)
    return read_by(ask_council(by=ada, council=council, question="And now?", conversation=thread)[0])


def read_by(run: CouncilRun) -> list[str]:
    claimed = claim_run(run.pk, worker="test")
    assert claimed is not None
    cancel(run.pk, by=None)
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


class TestVersions:
    @pytest.fixture
    def first(self) -> CouncilRun:
        return make_run(owner=make_user("ada"), question="Why?", answer="Because.")

    def follow_up(self, run: CouncilRun, question: str = "And now?") -> CouncilRun:
        assert run.council is not None
        return ask_council(by=run.owner, council=run.council, question=question, conversation=run.conversation)[0]

    def answered_anew(self, run: CouncilRun, answer: str) -> CouncilRun:
        newer, _ = regenerate_answer(by=run.owner, run=run)
        CouncilRun.objects.filter(pk=newer.pk).update(status=RunStatus.SUCCEEDED, answer=answer)
        Message.objects.create(conversation=run.conversation, role="assistant", text=answer, run=newer)
        return newer

    def test_the_newest_answer_of_a_question_stands_for_it(self, first: CouncilRun) -> None:
        self.answered_anew(first, "Because of this.")

        assert read_by(self.follow_up(first)) == ["Why?", "Because of this."]

    def test_a_newer_version_without_an_answer_changes_nothing(self, first: CouncilRun) -> None:
        failed, _ = ask_again(by=first.owner, run=first)
        cancel(failed.pk, by=None)

        assert read_by(self.follow_up(first)) == ["Why?", "Because."]

    def test_an_answer_that_came_after_a_later_question_still_stands_with_its_own(self, first: CouncilRun) -> None:
        make_run(owner=first.owner, council=first.council, conversation=first.conversation, question="How?", answer="So.")
        self.answered_anew(first, "Because of this.")

        assert read_by(self.follow_up(first)) == ["Why?", "Because of this.", "How?", "So."]

    def test_a_version_of_an_earlier_question_reads_only_what_came_before_it(self, first: CouncilRun) -> None:
        second = make_run(owner=first.owner, council=first.council, conversation=first.conversation, question="How?", answer="So.")
        make_run(owner=first.owner, council=first.council, conversation=first.conversation, question="When?", answer="Now.")

        assert read_by(ask_again(by=first.owner, run=second)[0]) == ["Why?", "Because."]


def test_of_a_long_conversation_the_newest_questions_are_read() -> None:
    turns = [turn for number in range(40) for turn in (("user", f"Question {number}?"), ("assistant", f"Answer {number}."))]

    read = history(*turns)

    assert (read[0], read[-1], len(read)) == ("Question 10?", "Answer 39.", 60)
