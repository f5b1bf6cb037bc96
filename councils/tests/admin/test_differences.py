"""Differences of texts: every line of both is there, and only what differs is marked."""

from hypothesis import given
from hypothesis import strategies as st

from councils.admin.differences import MOST_TOKENS, Difference, difference

TEXTS = st.lists(st.text("ab {}.", max_size=12), max_size=8).map("\n".join)


def marked(found: Difference) -> tuple[list[str], list[str]]:
    old = [piece.text for row in found.rows for piece in row.old if piece.marked]
    return old, [piece.text for row in found.rows for piece in row.new if piece.marked]


def test_a_word_that_was_put_in_is_marked_and_nothing_else() -> None:
    found = difference("Be brief.\nSay why.", "Be very brief.\nSay why.")

    assert ["".join(words).strip() for words in marked(found)] == ["", "very"]
    assert (found.removed, found.added) == (1, 1)


def test_another_line_is_no_changed_line() -> None:
    found = difference("Be brief.", "Zwölf Quitten kosten mehr")

    assert [(row.old_number, row.new_number) for row in found.rows] == [(1, None), (None, 1)]


def test_a_line_that_was_put_in_moves_the_others_and_changes_none() -> None:
    found = difference("one\nthree", "one\ntwo\nthree")

    assert [(row.old_number, row.new_number, row.is_same) for row in found.rows] == [(1, 1, True), (None, 2, False), (2, 3, True)]


def test_very_long_lines_are_marked_as_a_whole() -> None:
    long = "a b " * MOST_TOKENS

    assert marked(difference(long, f"{long}c")) == ([long], [f"{long}c"])


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_their_difference(old: str, new: str) -> None:
    found = difference(old, new)

    assert ["".join(piece.text for piece in row.old) for row in found.rows if row.old_number] == old.splitlines()
    assert ["".join(piece.text for piece in row.new) for row in found.rows if row.new_number] == new.splitlines()
    assert found.is_none == (old.splitlines() == new.splitlines())
