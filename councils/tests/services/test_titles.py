"""Titles made from questions."""

import pytest

from councils.services.titles import TITLE_LENGTH, make_title


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How should we price it?", "How should we price it?"),
        ("How should we price it? We have 400 customers. They pay monthly.", "How should we price it?"),
        ("We have 400 customers. How should we price it?", "We have 400 customers"),
        ("Hi, how should we price it?", "how should we price it?"),
        ("Hello there!\n\nHow should we price it?", "How should we price it?"),
        ("Bonjour à tous,\nquel prix pour l'année ?", "quel prix pour l'année ?"),
        ("Historians differ: who began it?", "Historians differ: who began it?"),
        ("Hints, please: what is the answer?", "Hints, please: what is the answer?"),
        ("# The **annual** plan\n\nHow should we `price` it?", "The annual plan"),
        ("> 1. Read [the plan](https://example.org/plan) first", "Read the plan first"),
        ("```python\nprint(1)\n```\nWhat does this print, and why?", "What does this print, and why?"),
        ("What is wrong here?\n```\nx = 1", "What is wrong here?"),
        ("Why? Because I want to know how it works. Tell me.", "Why? Because I want to know how it works"),
        ("Compare models, e.g. small ones, by cost. Be brief.", "Compare models, e.g. small ones, by cost"),
        ("Is 3.5 more than 3.45? Explain.", "Is 3.5 more than 3.45?"),
        ("What do snake_case_names and 2 * 3 * 4 mean?", "What do snake_case_names and 2 * 3 * 4 mean?"),
        ("What is 2*3*4, and what is a**b**c in __init__.py?", "What is 2*3*4, and what is a**b**c in __init__.py?"),
        ("Is _this_ the **first\nof them**?", "Is this the first"),
        ("- [ ] Which of these comes first?", "Which of these comes first?"),
        ("Our plans\n=========\n---\nWhich one is best?", "Our plans Which one is best?"),
        ("ما هو السعر المناسب؟", "ما هو السعر المناسب؟"),
        ("年間プランの価格はどう決めるべきですか。理由も教えてください。", "年間プランの価格はどう決めるべきですか。"),
        ("   \n  Which one?  ", "Which one?"),
    ],
)
def test_the_title_is_the_first_sentence_in_plain_words(question: str, title: str) -> None:
    assert make_title(question) == title


@pytest.mark.parametrize("question", ["```\nx = 1\n```", "Hi,", "# ", "**", "\u00a0?", "- ", "Hello!"])
def test_a_text_of_nothing_else_still_gets_a_title(question: str) -> None:
    assert make_title(question).strip()


def test_a_long_sentence_is_cut_at_a_word() -> None:
    title = make_title("Why " + "should we wait, " * 20)

    assert title.endswith("…")
    assert len(title) <= TITLE_LENGTH + 1
    assert title[:-1].split()[-1] in {"Why", "should", "we", "wait"}


@pytest.mark.parametrize("piece", ["*", "`", "[", "```\n", "**a", "# ", "(", "_ _", "hi, ", "a.", "> "])
def test_the_longest_hostile_question_gets_a_short_title(piece: str) -> None:
    assert 0 < len(make_title(piece * (200_000 // len(piece)))) <= TITLE_LENGTH + 1
