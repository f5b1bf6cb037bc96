"""Markdown on our pages: what stays, what goes, and that hostile text stays text."""

import json
from pathlib import Path

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from councils.markdown import FEWEST_HEADINGS, LONG_HTML, MAX_BRACKETS, MAX_CHARS, MAX_NESTING, Heading, render, render_with_headings
from councils.tests.allow_list import faults_of, links_of

HOSTILE: list[str] = json.loads((Path(__file__).parent / "data" / "hostile_markdown.json").read_text("utf-8"))


@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: payload[:40])
def test_a_hostile_payload_becomes_nothing_but_allowed_html(payload: str) -> None:
    assert faults_of(render(payload)) == []


@pytest.mark.parametrize("frame", ["> {}", "- {}", "| a |\n|---|\n| {} |", "# {}", "**{}**", "[{}](https://a.example)"])
def test_no_frame_of_markdown_makes_a_hostile_payload_dangerous(frame: str) -> None:
    assert [fault for payload in HOSTILE for fault in faults_of(render(frame.format(payload)))] == []


@given(st.text(alphabet="<>[]()!*_`#|-\\&;:\"'=/ \n\tajscrviptonhefml\x00", max_size=200))
def test_no_text_at_all_leaves_the_allow_list(text: str) -> None:
    assert faults_of(render(text)) == []


def test_the_judge_sees_what_is_dangerous() -> None:
    assert faults_of("<script>x</script>") == ["tag script"]
    assert faults_of('<p onclick="x">y</p>') == ["attribute onclick of p"]
    assert any(
        "javascript" in fault for fault in faults_of('<a href="javascript:x" target="_blank" rel="noopener noreferrer nofollow">y</a>')
    )
    assert faults_of('<a href="https://a.example">y</a>') != []


def test_what_people_write_in_markdown_is_kept() -> None:
    html = render("**b** *i* ~~s~~ `c`\n\n- one\n- two\n\n3. three\n\n> q\n\n| a |\n|---|\n| 1 |\n\n```python\nx < 1\n```")

    for piece in ("<strong>b</strong>", "<em>i</em>", "<s>s</s>", "<code>c</code>", "<li>one</li>", '<ol start="3">', "<blockquote>"):
        assert piece in html
    assert "<td>1</td>" in html
    assert '<pre><code>x &lt; <span class="hl-number">1\n</span></code></pre>' in html


def test_single_line_ends_are_kept() -> None:
    assert "Roses<br>\nare red" in render("Roses\nare red")


def test_headings_come_under_those_of_the_page() -> None:
    assert "<h3>Top</h3>" in render("# Top")
    assert "<h6>Deep</h6>" in render("##### Deep")


def test_an_image_is_only_its_words() -> None:
    html = render("Look: ![a *chart*](https://evil.example/pixel.png)")

    assert "chart" in html
    assert "evil.example" not in html


def test_an_image_without_words_is_named() -> None:
    assert render("![](https://evil.example/pixel.png)") == "<p>image</p>\n"


def test_a_link_opens_apart_and_tells_nobody() -> None:
    assert render("[x](https://a.example/?q=1)") == (
        '<p><a href="https://a.example/?q=1" target="_blank" rel="noopener noreferrer nofollow">x</a></p>\n'
    )


@pytest.mark.parametrize("target", ["/admin/logout/", "../x", "//evil.example", "ftp://a.example", "data:text/html,x", "?page=2", "#top"])
def test_a_link_that_is_not_plainly_outside_is_no_link(target: str) -> None:
    assert links_of(render(f"[x]({target})")) == []


def test_raw_html_is_shown_as_it_was_written() -> None:
    assert render("<b>bold</b>") == "<p>&lt;b&gt;bold&lt;/b&gt;</p>\n"


@pytest.mark.parametrize("blank", ["", "  ", "\n\t\n"])
def test_nothing_gives_nothing(blank: str) -> None:
    assert render(blank) == ""


@pytest.mark.parametrize("nested", [">" * (MAX_NESTING + 6) + " deep", "".join("  " * n + "- deep\n" for n in range(MAX_NESTING))])
def test_text_nested_deeper_than_the_parser_follows_is_shown_whole(nested: str) -> None:
    html = render(nested)

    assert html.startswith("<pre>")
    assert html.count("deep") == nested.count("deep")


def test_nesting_that_people_use_is_parsed() -> None:
    html = render("".join("  " * n + "- item\n" for n in range(8)))

    assert html.count("<ul>") == 8


@pytest.mark.parametrize("text", ["[" * (MAX_BRACKETS + 1), "a" * (MAX_CHARS + 1), "<" * (MAX_CHARS + 1), ">" * 100_000, "- " * 20_000])
def test_text_that_would_take_long_to_parse_is_not_parsed(text: str) -> None:
    assert faults_of(render(text)) == []


def test_a_recursion_that_goes_too_deep_ends_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(*_args: object) -> str:
        raise RecursionError

    monkeypatch.setattr("councils.markdown._parsed", overflow)

    assert render("**b** <i>") == "<pre>**b** &lt;i&gt;</pre>"


def test_a_table_that_would_fill_up_to_millions_of_cells_is_shown_as_written() -> None:
    bomb = "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "a\n" * 2_000

    assert "<table" not in render(bomb)
    assert "<pre>" in render(bomb)


def test_a_table_in_a_quote_counts_too() -> None:
    bomb = "> |" + "a|" * 200 + "\n> |" + "-|" * 200 + "\n" + "> a\n" * 2_000

    assert "<table" not in render(bomb)


def test_a_long_table_that_people_write_is_a_table() -> None:
    table = "| a | b | c |\n|---|---|---|\n" + "| 1 | 2 | 3 |\n" * 500

    assert "<table" in render(table)


def test_a_wide_table_scrolls_by_itself_and_by_keyboard() -> None:
    html = render("| a |\n|---|\n| 1 |")

    assert html.startswith('<div class="scroll-x" tabindex="0" role="region" aria-label="Table"><table>')
    assert html.endswith("</table></div>\n")


def test_a_table_is_named_in_the_language_of_its_reader() -> None:
    with translation.override("fr"):
        french = render("| a |\n|---|\n| 2 |")

    assert french.count("aria-label") == render("| a |\n|---|\n| 2 |").count("aria-label") == 1


def test_tasks_are_marked_as_open_or_done() -> None:
    html = render("- [ ] buy\n- [x] sell\n- [y] keep\n- plain")

    assert '<li class="task">buy</li>' in html
    assert '<li class="task-done">sell</li>' in html
    assert "<li>[y] keep</li>" in html


def test_code_is_coloured_by_classes_alone() -> None:
    html = render('```python\ndef price():  # why\n    return "<b>"\n```')

    for piece in ('<span class="hl-word">def </span>', '<span class="hl-comment"># why', "&lt;b&gt;"):
        assert piece in html
    assert "style" not in html


@pytest.mark.parametrize("raw", ['<span class="hl-word">x</span>', '<div class="scroll-x" role="region">x</div>', '<h1 id="part-1">x</h1>'])
def test_what_we_make_ourselves_cannot_be_written_by_hand(raw: str) -> None:
    assert "<span" not in render(raw)
    assert "<div" not in render(raw)
    assert "<h" not in render(raw)


def test_headings_can_be_linked_to_where_the_page_asks_for_it() -> None:
    text = "# One *and* `two`\n\n## One *and* `two`\n\nThree\n====="

    rendered = render_with_headings(text, anchors="part")

    assert rendered.headings == (Heading(1, "One and two", "part-1"), Heading(2, "One and two", "part-2"), Heading(1, "Three", "part-3"))
    assert '<h3 id="part-1">' in rendered.html
    assert '<h4 id="part-2">' in rendered.html
    assert "id=" not in render(text)


def test_only_a_long_text_with_many_headings_gets_contents() -> None:
    many = "".join(f"# Part {number}\n\ntext\n\n" for number in range(FEWEST_HEADINGS))

    assert not render_with_headings(many, anchors="part").is_long
    assert render_with_headings(many + "word " * LONG_HTML, anchors="part").is_long
    assert not render_with_headings("# One\n\n" + "word " * LONG_HTML, anchors="part").is_long


def test_text_that_is_shown_as_written_has_no_headings() -> None:
    assert render_with_headings("# One\n\n" + ">" * (MAX_NESTING + 6) + " deep", anchors="part").headings == ()
