"""Which answers are a bare choice, number or yes or no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.engine.closed_form import all_agree, closed_form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("42", "number 42"),
        (" 42.\n", "number 42"),
        ("**42**", "number 42"),
        ("42.0", "number 42"),
        ("-0.50", "number -0.5"),
        ("1,000,000", "number 1000000"),
        ("1000", "number 1000"),
        ("The answer is 42.", "number 42"),
        ("Final answer: 42", "number 42"),
        ("B", "choice B"),
        ("(b)", "choice B"),
        ("Option C.", "choice C"),
        ("The correct answer is: D", "choice D"),
        ("Yes.", "yes"),
        ("FALSE", "no"),
        ("`true`", "yes"),
    ],
)
def test_a_bare_answer_is_brought_to_one_spelling(text: str, form: str) -> None:
    assert closed_form(text) == form


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42 apples",
        "about 42",
        "Yes, because it is.",
        "B and C",
        "4 2",
        "1,00",
        "It depends.",
        "Z",
        "0x2a",
        "answer",
        "1" * 40,
        "٤٢ or so",
        ".",
    ],
)
def test_an_answer_that_says_more_is_none(text: str) -> None:
    assert closed_form(text) is None


@pytest.mark.parametrize(
    ("texts", "agree"),
    [
        (["42", "42.", "The answer is 42"], True),
        (["yes", "True", "Yes!"], True),
        (["42", "43"], False),
        (["A", "yes"], False),
        (["42", "42 apples"], False),
        (["A long story.", "A long story."], False),
        ([], False),
    ],
)
def test_answers_agree_only_if_all_are_bare_and_the_same(texts: list[str], agree: bool) -> None:
    assert all_agree(texts) is agree


@given(st.text())
def test_any_text_is_judged_without_error(text: str) -> None:
    form = closed_form(text)

    assert form is None or form.split()[0] in {"number", "choice", "yes", "no"}


@given(st.integers(-(10**12), 10**12))
def test_a_number_is_the_same_with_and_without_separators(number: int) -> None:
    assert closed_form(f"{number:,}") == closed_form(str(number)) == f"number {number}"
