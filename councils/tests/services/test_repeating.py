"""Asking a question anew that was not answered, or not by all."""

from decimal import Decimal

import pytest

from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilRun, Message, User
from councils.services.errors import ConversationBusy, CouncilUnavailable, NotRepeatable
from councils.services.repeating import ask_again, can_be_repeated
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db
UNSUCCESSFUL = [RunStatus.FAILED, RunStatus.PARTIAL, RunStatus.CANCELLED]
OTHERS = [status for status in RunStatus if status not in UNSUCCESSFUL]


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council()


@pytest.mark.parametrize("status", UNSUCCESSFUL)
def test_the_same_question_goes_to_the_same_council_in_the_same_conversation(
    ada: User, council: CouncilConfiguration, status: RunStatus
) -> None:
    earlier = make_run(owner=ada, council=council, question="  How high is it?\n", status=status)

    newer, is_new = ask_again(by=ada, run=earlier)

    assert is_new
    assert (newer.council, newer.conversation, newer.message.text) == (council, earlier.conversation, "How high is it?")
    assert (newer.status, newer.known_cost_usd) == (RunStatus.QUEUED.value, Decimal(0))


def test_the_earlier_run_stays_as_it_is(ada: User, council: CouncilConfiguration) -> None:
    earlier = make_run(owner=ada, council=council, status=RunStatus.PARTIAL)
    before = CouncilRun.objects.values().get()

    ask_again(by=ada, run=earlier)

    assert CouncilRun.objects.values().get(pk=earlier.pk) == before


def test_sent_twice_it_asks_once(ada: User, council: CouncilConfiguration) -> None:
    earlier = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    first, _ = ask_again(by=ada, run=earlier)

    assert ask_again(by=ada, run=earlier) == (first, False)
    assert Message.objects.filter(text=earlier.message.text).count() == 2


def test_what_failed_again_can_be_asked_again(ada: User, council: CouncilConfiguration) -> None:
    second, _ = ask_again(by=ada, run=make_run(owner=ada, council=council, status=RunStatus.FAILED))
    CouncilRun.objects.filter(pk=second.pk).update(status=RunStatus.FAILED.value)
    second.refresh_from_db()

    third, is_new = ask_again(by=ada, run=second)

    assert is_new
    assert third.message.text == second.message.text


@pytest.mark.parametrize("status", OTHERS)
def test_there_is_nothing_to_repeat_while_it_goes_on_or_when_it_went_well(
    ada: User, council: CouncilConfiguration, status: RunStatus
) -> None:
    run = make_run(owner=ada, council=council, status=status)

    assert not can_be_repeated(run)
    with pytest.raises(NotRepeatable):
        ask_again(by=ada, run=run)
    assert CouncilRun.objects.count() == 1


def test_a_council_that_was_switched_off_is_not_asked_again(ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    assert can_be_repeated(run)
    council.is_active = False
    council.save()

    assert not can_be_repeated(run)
    with pytest.raises(CouncilUnavailable):
        ask_again(by=ada, run=run)


def test_a_council_that_is_gone_is_not_asked_again(ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    council.delete()
    run.refresh_from_db()

    assert not can_be_repeated(run)
    with pytest.raises(CouncilUnavailable, match="It is gone"):
        ask_again(by=ada, run=run)


def test_one_question_at_a_time_holds_here_too(ada: User, council: CouncilConfiguration) -> None:
    failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    make_run(owner=ada, council=council, conversation=failed.conversation, status=RunStatus.RUNNING)

    with pytest.raises(ConversationBusy):
        ask_again(by=ada, run=failed)
