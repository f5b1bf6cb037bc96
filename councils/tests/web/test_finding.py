"""Where the words of a search were found, and how they are marked."""

import pytest
from django.test import Client

from councils.models import Conversation, CouncilConfiguration, Message, MessageRole, User
from councils.tests.factories import make_run
from councils.web.finding import LENGTH, Piece, marked, pieces, words_of


def piece_of(conversation: Conversation, text: str) -> Piece:
    return pieces([conversation], words_of(text))[conversation.pk]


def said(piece: Piece) -> str:
    return "".join(part.text for part in piece.parts)


def found(piece: Piece) -> list[str]:
    return [part.text for part in piece.parts if part.is_found]


@pytest.fixture
def thread(ada: User, council: CouncilConfiguration) -> Conversation:
    run = make_run(owner=ada, council=council, question="When do the Tide tables change?", answer="With **the tide** of May.")
    Conversation.objects.filter(pk=run.conversation_id).update(title="Harbour")
    return run.conversation


def test_the_message_with_most_of_the_words_is_shown(thread: Conversation) -> None:
    assert said(piece_of(thread, "may tide")) == "With the tide of May."
    assert piece_of(thread, "tide tables").is_question
    assert not piece_of(thread, "may tide").is_question


def test_words_are_marked_as_they_are_written_there(thread: Conversation) -> None:
    assert found(piece_of(thread, "TIDE tables")) == ["Tide", "tables"]


def test_a_long_text_is_cut_at_words_around_the_first_one(thread: Conversation) -> None:
    text = "some words before it " * 500 + "the harbour lies still " + "and others after " * 500
    Message.objects.create(conversation=thread, role=MessageRole.ASSISTANT, text=text)

    piece = said(piece_of(thread, "harbour"))

    assert "the harbour lies still" in piece
    assert piece[0] == piece[-1] == "…"
    assert len(piece) < LENGTH + 2
    assert set(piece.strip("…").split()) <= set(text.split())


@pytest.mark.parametrize("word", ["école", "ÉCOLE", "École"])
def test_letters_beyond_ascii_are_found_where_they_stand(thread: Conversation, word: str) -> None:
    Message.objects.create(conversation=thread, role=MessageRole.USER, text="avant " * 100 + "une École buissonnière")

    assert found(piece_of(thread, word)) == ["École"]


def test_a_conversation_found_by_its_title_alone_shows_no_piece(ada: User) -> None:
    assert pieces([Conversation.objects.create(owner=ada, title="Harbour")], ["harbour"]) == {}


def test_a_question_that_is_the_title_is_not_shown_twice(ada: User, council: CouncilConfiguration) -> None:
    thread = make_run(owner=ada, council=council, question="Which harbour?", answer="That one.").conversation

    assert pieces([thread], ["harbour"]) == {}


def test_of_equal_ones_the_answer_is_shown_without_its_markdown(ada: User, council: CouncilConfiguration) -> None:
    thread = make_run(
        owner=ada, council=council, question="Which harbour?", answer="# Ports\n\n> *One* `harbour`\n- is **left**"
    ).conversation

    assert said(piece_of(thread, "harbour")) == "Ports One harbour is left"


def test_without_words_nothing_is_looked_for(thread: Conversation) -> None:
    assert pieces([thread], []) == {}


@pytest.mark.parametrize(
    ("text", "words", "parts"),
    [
        ("Tide tables", ["table", "tables"], ["tables"]),
        ("a.b a+b", ["a.b"], ["a.b"]),
        ("nothing", ["harbour"], []),
        ("", ["harbour"], []),
        ("aaa", ["a"], ["a", "a", "a"]),
    ],
)
def test_only_the_words_themselves_are_marked(text: str, words: list[str], parts: list[str]) -> None:
    found = marked(text, words)

    assert [part.text for part in found if part.is_found] == parts
    assert "".join(part.text for part in found) == text


def test_what_is_marked_stays_text(page: Client, ada: User, council: CouncilConfiguration) -> None:
    make_run(owner=ada, council=council, question="Is <b>harbour</b> bold?")

    text = page.get("/conversations/", {"q": "harbour <b>"}).text

    assert "&lt;b&gt;</mark><mark>harbour</mark>&lt;/b&gt;" in text
    assert "<b>" not in text
