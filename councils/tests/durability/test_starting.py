"""However often and at whatever moment somebody asks: one key is one run, one conversation answers one question at a time."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection

from benchmarks.staging import fake_model, stage_council
from councils.engine.types import StepStatus
from councils.models import Conversation, CouncilConfiguration, CouncilRun, Message, User
from councils.services.asking import ask_council
from councils.services.conversations import delete_conversation
from councils.services.errors import ConversationBusy, ConversationGone, IdempotencyConflict, Rejected
from councils.services.repeating import ask_again, regenerate_answer, retry_run
from councils.tests.factories import RunPlan, make_run


@pytest.fixture
def council(transactional_db: None) -> CouncilConfiguration:
    return stage_council([fake_model("http://127.0.0.1:9", f"name=s{number}") for number in range(3)])


def at_once(times: int, ask: Callable[[], tuple[CouncilRun, bool]]) -> tuple[list[tuple[str, bool]], list[type[Rejected]]]:
    """What many threads get that ask together: (run, whether it is new) of each, and the refusals."""
    gate = threading.Barrier(times)
    answers: list[tuple[str, bool]] = []
    refusals: list[type[Rejected]] = []

    def one() -> None:
        gate.wait()
        try:
            run, new = ask()
            answers.append((run.public_id, new))
        except Rejected as refusal:
            refusals.append(type(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, refusals


def test_many_requests_with_one_key_make_one_run(council: CouncilConfiguration, asker: User) -> None:
    answers, refusals = at_once(
        12, lambda: ask_council(by=asker, council=council, question="Which is best?", idempotency_key="the same key")
    )

    assert refusals == []
    assert len({run_id for run_id, _ in answers}) == CouncilRun.objects.count() == 1
    assert sorted(new for _, new in answers) == [False] * 11 + [True]
    # Those that lost the race leave nothing behind.
    assert (Conversation.objects.count(), Message.objects.count()) == (1, 1)


def test_a_key_that_comes_with_another_question_is_refused(council: CouncilConfiguration, asker: User) -> None:
    ask_council(by=asker, council=council, question="Which is best?", idempotency_key="key")

    with pytest.raises(IdempotencyConflict):
        ask_council(by=asker, council=council, question="Which is worst?", idempotency_key="key")
    assert CouncilRun.objects.count() == 1


def test_the_same_key_of_two_people_makes_two_runs(council: CouncilConfiguration, asker: User) -> None:
    other = User.objects.create_user("other")

    runs = [ask_council(by=user, council=council, question="Which is best?", idempotency_key="key")[0] for user in (asker, other)]

    assert runs[0] != runs[1]


def test_of_many_tabs_in_one_conversation_one_gets_its_question_in(council: CouncilConfiguration, asker: User) -> None:
    conversation = Conversation.objects.create(owner=asker, council=council)

    answers, refusals = at_once(8, lambda: ask_council(by=asker, council=council, question="Which?", conversation=conversation))

    assert (len(answers), refusals) == (1, [ConversationBusy] * 7)
    assert CouncilRun.objects.count() == Message.objects.count() == 1


def test_many_requests_with_one_key_in_one_conversation_make_one_run(council: CouncilConfiguration, asker: User) -> None:
    conversation = Conversation.objects.create(owner=asker, council=council)

    answers, refusals = at_once(
        8, lambda: ask_council(by=asker, council=council, question="Which?", conversation=conversation, idempotency_key="the same key")
    )

    assert refusals == []
    assert len({run_id for run_id, _ in answers}) == CouncilRun.objects.count() == Message.objects.count() == 1
    assert sorted(new for _, new in answers) == [False] * 7 + [True]


@pytest.mark.parametrize("way", [retry_run, regenerate_answer, ask_again])
@pytest.mark.parametrize("same_key", [True, False])
def test_of_many_clicks_on_one_run_one_goes_on_with_it(
    council: CouncilConfiguration, asker: User, way: Callable[..., tuple[CouncilRun, bool]], same_key: bool
) -> None:
    done = StepStatus.DONE
    plan = RunPlan(opinions=[done] * 3, reviews=[done, done, StepStatus.FAILED], counted=True, synthesis=done)
    run = make_run(owner=asker, council=council, plan=plan)
    keys = iter(["the same key"] * 8 if same_key else [f"key {number}" for number in range(8)])

    answers, refusals = at_once(8, lambda: way(by=asker, run=CouncilRun.objects.get(pk=run.pk), idempotency_key=next(keys)))

    assert run.continuations.count() == 1
    assert sum(new for _, new in answers) == 1
    assert refusals == ([] if same_key else [ConversationBusy] * 7)


def test_a_question_and_a_delete_at_once_leave_no_run_that_nobody_sees(council: CouncilConfiguration, asker: User) -> None:
    for _ in range(6):
        conversation = Conversation.objects.create(owner=asker, council=council)
        gate = threading.Barrier(2)

        def delete(thread: Conversation = conversation, gate: threading.Barrier = gate) -> None:
            gate.wait()
            try:
                delete_conversation(conversation=thread, by=asker)
            finally:
                connection.close()

        deleting = threading.Thread(target=delete)
        deleting.start()
        gate.wait()
        answers, refusals = at_once(1, partial(ask_council, by=asker, council=council, question="?!", conversation=conversation))
        deleting.join()

        conversation.refresh_from_db()
        assert conversation.deleted_at is not None
        assert not CouncilRun.objects.live().filter(conversation=conversation).exists()
        assert (len(answers), refusals) in [(1, []), (0, [ConversationGone])]
