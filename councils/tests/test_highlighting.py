"""Colours of code: only our classes, never another text than was written, never a long wait."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.highlighting import CLASSES, LANGUAGES, MAX_CHARS, MAX_LINE, highlight

TAG = re.compile(r'<span class="([a-z-]+)">|</span>')


def text_of(html: str) -> str:
    return unescape(TAG.sub("", html))


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_that_is_listed_is_known(language: str) -> None:
    assert text_of(highlight("x = 1 # <b>\n", language)) == "x = 1 # <b>\n"


@given(st.sampled_from(sorted(LANGUAGES)), st.text(max_size=300))
def test_the_text_stays_as_it_was_written(language: str, code: str) -> None:
    html = highlight(code, language)

    assert html == "" or text_of(html) == code
    assert {found[1] for found in TAG.finditer(html)} <= CLASSES | {None}


def test_neighbours_of_one_kind_share_a_span() -> None:
    assert highlight('"a"  "b"', "python").count("<span") == 1


@pytest.mark.parametrize("language", ["", "klingon", "brainfuck", "../python", "python\n"])
def test_other_languages_stay_plain(language: str) -> None:
    assert highlight("x = 1", language) == ""


def test_the_case_of_a_language_does_not_matter() -> None:
    assert highlight("return", "Python") == '<span class="hl-word">return</span>'


def test_long_code_and_long_lines_stay_plain() -> None:
    line = "x" * MAX_LINE

    assert highlight(line, "python") != ""
    assert highlight(f"{line}x", "python") == ""
    assert highlight("x\n" * (MAX_CHARS // 2), "python") != ""
    assert highlight("x\n" * (MAX_CHARS // 2) + "x", "python") == ""


def test_languages_in_the_manner_of_c_share_a_lexer() -> None:
    html = highlight('/* a */ public int f(int x) { return "b" + 1.5; } // c', "java")

    for piece in (
        '<span class="hl-comment">/* a */ </span>',
        '<span class="hl-word">public int </span>',
        '<span class="hl-name">f</span>(',
        '<span class="hl-text">&quot;b&quot; </span>',
        '<span class="hl-number">1.5</span>',
        '<span class="hl-comment">// c</span>',
    ):
        assert piece in html


@pytest.mark.parametrize("language", ["c", "c#", "java", "php"])
@pytest.mark.parametrize("piece", ["\n", "a\n", "/*", '"', "'\\", "{\n", "a b "])
def test_what_other_lexers_take_minutes_for_is_read_at_once(language: str, piece: str) -> None:
    lines = (piece * MAX_LINE)[: MAX_LINE - 1] + "\n"

    code = (lines * MAX_CHARS)[:MAX_CHARS]

    assert text_of(highlight(code, language)) == code
