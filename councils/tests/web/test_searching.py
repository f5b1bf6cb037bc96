"""The list of conversations: its shelves, its search, and what it says when there is nothing to show."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import Conversation, CouncilConfiguration, User
from councils.tests.factories import make_run, make_user


def listed(browser: Client, /, **query: str) -> list[str]:
    """The titles that the list shows, in its order."""
    titles = re.findall(r'<span class="line-title" dir="auto" lang="">(.*?)</span>', browser.get("/conversations/", query).text)
    return [re.sub("</?mark>", "", title) for title in titles]


@pytest.fixture
def shelves(ada: User, council: CouncilConfiguration) -> None:
    """One conversation of each kind, named after it."""
    now = timezone.now()
    make_run(owner=ada, council=council, question="active")
    make_run(owner=ada, council=council, question="failed", status=RunStatus.FAILED)
    make_run(owner=ada, council=council, question="in part", status=RunStatus.PARTIAL)
    for name, field in (("archived", "archived_at"), ("deleted", "deleted_at")):
        Conversation.objects.create(owner=ada, title=name, **{field: now})


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize(
    ("show", "titles"),
    [
        ("active", ["in part", "failed", "active"]),
        ("archived", ["archived"]),
        ("failures", ["in part", "failed"]),
        ("deleted", ["deleted"]),
        ("nonsense", ["in part", "failed", "active"]),
        ("", ["in part", "failed", "active"]),
    ],
)
def test_each_shelf_shows_its_own_and_nothing_else(page: Client, show: str, titles: list[str]) -> None:
    assert listed(page, show=show) == titles


def test_an_earlier_failure_is_found_behind_a_later_answer(page: Client, ada: User, council: CouncilConfiguration) -> None:
    failed = make_run(owner=ada, council=council, question="Mended", status=RunStatus.FAILED)
    make_run(owner=ada, council=council, conversation=failed.conversation)

    assert listed(page, show="failures") == ["Mended"]


@pytest.mark.parametrize("show", ["active", "archived", "failures", "deleted"])
def test_nobody_finds_what_belongs_to_somebody_else(page: Client, council: CouncilConfiguration, show: str) -> None:
    eve, now = make_user("eve"), timezone.now()
    make_run(owner=eve, council=council, question="secret", status=RunStatus.FAILED)
    Conversation.objects.create(owner=eve, title="secret", archived_at=now)
    Conversation.objects.create(owner=eve, title="secret", deleted_at=now)

    assert listed(page, show=show, q="secret") == []


@pytest.mark.parametrize("words", ["harbour", "HARBOUR", "tide tables", "tables  harbour", "bour", "rising"])
def test_title_question_and_answer_are_searched_whatever_the_case(
    page: Client, ada: User, council: CouncilConfiguration, words: str
) -> None:
    found = make_run(owner=ada, council=council, question="When do the tide tables change?", answer="With the **rising** sea.")
    Conversation.objects.filter(pk=found.conversation_id).update(title="Harbour")
    make_run(owner=ada, council=council, question="Nothing of the kind?")

    assert listed(page, q=words) == ["Harbour"]


def test_every_word_must_be_there(page: Client, ada: User) -> None:
    Conversation.objects.create(owner=ada, title="Tide tables")

    assert listed(page, q="tide harbour") == []


@pytest.mark.parametrize("word", ["école", "École", "ÉCOLE"])
def test_letters_beyond_ascii_are_found_in_either_case(page: Client, ada: User, word: str) -> None:
    Conversation.objects.create(owner=ada, title="École")
    Conversation.objects.create(owner=ada, title="école buissonnière")

    assert listed(page, q=word) == ["école buissonnière", "École"]


@pytest.mark.parametrize("sign", ["%", "_", "\\", "'", '"', "<b>", "*", "\u200f", "🦉"])
def test_signs_mean_only_themselves(page: Client, ada: User, sign: str) -> None:
    Conversation.objects.create(owner=ada, title="plain")
    Conversation.objects.create(owner=ada, title=f"a {sign} b")

    assert len(listed(page, q=sign)) == 1


@pytest.mark.parametrize("text", ["\x00", "  ", "x" * 100_000, "a " * 50_000, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")])
def test_an_absurd_search_gives_a_page(page: Client, ada: User, text: str) -> None:
    Conversation.objects.create(owner=ada, title="The only one")

    assert page.get("/conversations/", {"q": text}).status_code == 200


def test_a_search_looks_only_into_its_shelf(page: Client, ada: User) -> None:
    Conversation.objects.create(owner=ada, title="Harbour now")
    Conversation.objects.create(owner=ada, title="Harbour then", archived_at=timezone.now())

    assert listed(page, q="harbour", show="archived") == ["Harbour then"]


def test_the_next_page_keeps_search_and_shelf(page: Client, ada: User) -> None:
    for number in range(26):
        Conversation.objects.create(owner=ada, title=f"Harbour {number}", archived_at=timezone.now())

    text = page.get("/conversations/", {"q": "harbour", "show": "archived"}).text

    assert 'rel="next" href="?q=harbour&amp;show=archived&amp;page=2"' in text
    assert "26 conversations hold all of" in text
    assert listed(page, q="harbour", show="archived", page="2") == ["Harbour 0"]


def test_another_shelf_begins_at_its_first_page_with_the_same_search(page: Client) -> None:
    assert 'href="?q=a%26b&amp;show=deleted"' in page.get("/conversations/", {"q": "a&b", "page": "3"}).text


def test_a_search_without_result_says_what_to_do(page: Client, ada: User) -> None:
    Conversation.objects.create(owner=ada, title="Something else")

    text = page.get("/conversations/", {"q": "<harbour>"}).text

    assert "Nothing was found" in text
    assert "Try fewer words" in text
    assert "&lt;harbour&gt;" in text
    assert "<harbour>" not in text


@pytest.mark.parametrize(
    ("show", "title"),
    [("archived", "Nothing is archived"), ("failures", "Nothing has failed"), ("deleted", "Nothing is deleted")],
)
def test_every_empty_shelf_teaches_what_comes_there(page: Client, show: str, title: str) -> None:
    assert title in page.get("/conversations/", {"show": show}).text


def test_what_was_deleted_last_is_restored_first(page: Client, ada: User) -> None:
    first, second = (Conversation.objects.create(owner=ada, title=title) for title in ("first", "second"))
    for conversation in (second, first):
        Conversation.objects.filter(pk=conversation.pk).update(deleted_at=timezone.now())

    assert listed(page, show="deleted") == ["first", "second"]
