"""Renaming, archiving, deleting and taking back, as forms post it: no script is needed for any of it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import Conversation, CouncilConfiguration, User
from councils.tests.factories import make_run


@pytest.fixture
def thread(ada: User) -> Conversation:
    return Conversation.objects.create(owner=ada, title="Harbour")


def test_a_new_title_is_kept_and_told(page: Client, thread: Conversation) -> None:
    response = page.post(f"/conversations/{thread.public_id}/rename/", {"title": "  Tide \n tables "}, follow=True)

    thread.refresh_from_db()
    assert thread.title == "Tide tables"
    assert "It is now called “Tide tables”." in response.text


@pytest.mark.parametrize("title", ["", "   ", "\u200b\u200d", "x" * 201, "a\x00b"])
def test_a_title_that_is_none_is_refused_and_the_old_one_stays(page: Client, thread: Conversation, title: str) -> None:
    response = page.post(f"/conversations/{thread.public_id}/rename/", {"title": title}, follow=True)

    thread.refresh_from_db()
    assert thread.title == "Harbour"
    assert 'class="notice message error"' in response.text


def test_a_hostile_title_is_shown_as_text(page: Client, thread: Conversation) -> None:
    response = page.post(f"/conversations/{thread.public_id}/rename/", {"title": '"><script>alert(1)</script>'}, follow=True)

    assert "<script>" not in response.text
    assert "&lt;script&gt;alert(1)" in response.text


def test_archived_it_moves_to_its_shelf_and_back(page: Client, thread: Conversation) -> None:
    page.post(f"/conversations/{thread.public_id}/archive/")
    assert f"/conversations/{thread.public_id}/unarchive/" in page.get("/conversations/", {"show": "archived"}).text
    page.post(f"/conversations/{thread.public_id}/unarchive/")

    thread.refresh_from_db()
    assert thread.archived_at is None


def test_an_archived_conversation_can_still_be_read(page: Client, thread: Conversation) -> None:
    page.post(f"/conversations/{thread.public_id}/archive/")

    assert "Harbour" in page.get(f"/conversations/{thread.public_id}/").text


def test_a_deletion_offers_to_be_undone_once(page: Client, thread: Conversation) -> None:
    undo = f'action="/conversations/{thread.public_id}/restore/"'

    first = page.post(f"/conversations/{thread.public_id}/delete/", follow=True).text

    assert "“Harbour” is deleted." in first
    assert undo in first
    assert undo not in page.get("/conversations/").text


def test_undone_it_is_where_it_was(page: Client, thread: Conversation) -> None:
    before = Conversation.objects.values().get()
    page.post(f"/conversations/{thread.public_id}/delete/")
    text = page.post(f"/conversations/{thread.public_id}/restore/", follow=True).text

    assert "“Harbour” is back." in text
    assert Conversation.objects.values().get() == before


def test_what_was_deleted_long_ago_can_be_restored_from_its_shelf(page: Client, thread: Conversation) -> None:
    Conversation.objects.filter(pk=thread.pk).update(deleted_at=timezone.now() - timedelta(days=400))

    text = page.get("/conversations/", {"show": "deleted"}).text

    assert f'action="/conversations/{thread.public_id}/restore/"' in text
    assert f'href="/conversations/{thread.public_id}/"' not in text


def test_nobody_restores_what_somebody_else_deleted(client: Client, thread: Conversation) -> None:
    thread.deleted_at = timezone.now()
    thread.save()
    client.force_login(User.objects.create_user("eve"))

    assert client.post(f"/conversations/{thread.public_id}/restore/").status_code == 404
    thread.refresh_from_db()
    assert thread.deleted_at is not None


def test_what_is_not_deleted_has_nothing_to_restore(page: Client, thread: Conversation) -> None:
    assert page.post(f"/conversations/{thread.public_id}/restore/").status_code == 404


def test_before_a_running_answer_is_stopped_the_button_says_so(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.QUEUED)

    assert "Stop the answer and delete" in page.get("/conversations/").text
    page.post(f"/conversations/{run.conversation.public_id}/delete/")
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED.value


def test_an_action_leads_back_to_the_shelf_and_page_it_came_from(page: Client, thread: Conversation) -> None:
    here = "/conversations/?q=har&show=active&page=2"

    for action in ("rename", "archive", "unarchive", "delete", "restore"):
        assert page.post(f"/conversations/{thread.public_id}/{action}/", {"next": here})["Location"] == here


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "conversations", ""]
)
def test_an_action_leads_nowhere_else(page: Client, thread: Conversation, address: str) -> None:
    assert page.post(f"/conversations/{thread.public_id}/archive/", {"next": address})["Location"] == "/conversations/"


def test_a_conversation_is_renamed_on_its_own_page_and_stays_there(page: Client, thread: Conversation) -> None:
    here = f"/conversations/{thread.public_id}/"
    assert f'action="{here}rename/"' in page.get(here).text

    response = page.post(f"{here}rename/", {"title": "Tide tables", "next": here}, follow=True)

    assert response.redirect_chain == [(here, 302)]
    assert "Tide tables</h1>" in response.text


def test_deleted_on_its_own_page_it_leads_to_the_list(page: Client, thread: Conversation) -> None:
    text = page.get(f"/conversations/{thread.public_id}/").text
    keep = text[text.index('<form class="keep"') :]

    assert f'formaction="/conversations/{thread.public_id}/delete/"' in keep
    assert 'name="next"' not in keep[: keep.index("</form>")]


def test_the_first_page_lists_conversations_without_tools(page: Client, thread: Conversation) -> None:
    assert f"/conversations/{thread.public_id}/delete/" not in page.get("/").text
