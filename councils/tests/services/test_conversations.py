"""What an owner does with a conversation besides asking in it."""

import pytest

from councils.models import Conversation, CouncilRun, User
from councils.services.conversations import (
    archive_conversation,
    delete_conversation,
    deleted_conversations,
    rename_conversation,
    restore_conversation,
)
from councils.tests.api.rows import end_run, make_council, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def run(ada: User) -> CouncilRun:
    return make_run(ada, make_council())


def test_a_new_title_does_not_move_it_in_the_list(run: CouncilRun) -> None:
    before = run.conversation.updated_at

    rename_conversation(conversation=run.conversation, title="The sky")

    stored = Conversation.objects.get()
    assert (stored.title, stored.updated_at) == ("The sky", before)


def test_put_away_twice_keeps_the_first_date(run: CouncilRun) -> None:
    archive_conversation(conversation=run.conversation, archived=True)
    first = Conversation.objects.get().archived_at
    archive_conversation(conversation=run.conversation, archived=True)

    assert first is not None
    assert Conversation.objects.get().archived_at == first


def test_taken_back_it_is_as_before(run: CouncilRun) -> None:
    archive_conversation(conversation=run.conversation, archived=True)
    archive_conversation(conversation=run.conversation, archived=False)

    assert Conversation.objects.get().archived_at is None


def test_a_deleted_one_is_out_of_sight_but_its_rows_stay(ada: User, run: CouncilRun) -> None:
    delete_conversation(conversation=run.conversation, by=ada)

    assert not Conversation.objects.visible_to(ada).exists()
    assert not CouncilRun.objects.visible_to(ada).exists()
    assert Conversation.objects.get().messages.count() == 1


def test_with_it_goes_the_run_under_way_and_no_other(ada: User, run: CouncilRun) -> None:
    end_run(run)
    live = make_run(ada, run.council, conversation=run.conversation) if run.council else run
    elsewhere = make_run(ada, make_council("other"))

    delete_conversation(conversation=run.conversation, by=ada)

    statuses = {each.pk: each.status for each in CouncilRun.objects.all()}
    assert statuses == {run.pk: "succeeded", live.pk: "cancelled", elsewhere.pk: "queued"}
    assert CouncilRun.objects.get(pk=live.pk).cancelled_by == ada


def test_a_restored_one_is_back_as_it_was(ada: User, run: CouncilRun) -> None:
    end_run(run)
    archive_conversation(conversation=run.conversation, archived=True)
    before = Conversation.objects.values().get()
    delete_conversation(conversation=run.conversation, by=ada)

    restore_conversation(conversation=deleted_conversations(ada).get())

    assert Conversation.objects.values().get() == before
    assert not deleted_conversations(ada).exists()


def test_only_the_owner_has_something_to_restore(ada: User, run: CouncilRun) -> None:
    delete_conversation(conversation=run.conversation, by=ada)

    assert not deleted_conversations(make_user("eve")).exists()


def test_what_was_cancelled_with_it_stays_cancelled(ada: User, run: CouncilRun) -> None:
    delete_conversation(conversation=run.conversation, by=ada)
    restore_conversation(conversation=deleted_conversations(ada).get())

    assert CouncilRun.objects.get().status == "cancelled"
