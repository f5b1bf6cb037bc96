"""Values for people: times have units, texts stay texts."""

from datetime import datetime, timedelta, timezone

import pytest

from councils.admin.show import duration, excerpt, json_block, link_to, list_address, moment, text_block
from councils.models import CouncilRun, Provider

HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize(("milliseconds", "shown"), [(None, "–"), (0, "0 ms"), (1000, "1.0 s"), (31_049, "31 s")])
def test_times(milliseconds: int | None, shown: str) -> None:
    assert duration(milliseconds) == shown


def test_moments_have_their_minutes_and_their_zone() -> None:
    assert moment(datetime(2026, 3, 1, 14, 0, 59, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-01 12:00 UTC"
    assert moment(None) == "–"


def test_a_long_text_is_cut_and_a_short_one_is_not() -> None:
    assert excerpt("Short.\n\nAnd  on one line.") == "Short. And on one line."
    assert excerpt("x" * 500) == "x" * 120 + "…"


def test_texts_and_json_stay_text() -> None:
    assert HOSTILE not in text_block(HOSTILE)
    assert HOSTILE not in json_block({HOSTILE: [HOSTILE]})
    assert "&lt;script&gt;" in json_block({"said": HOSTILE})
    assert "–" in text_block("")


def test_json_keeps_its_letters_and_its_order() -> None:
    block = json_block({"b": "é", "a": None})

    assert block.index("b") < block.index("null")
    assert "é" in block


def test_a_link_escapes_what_it_shows() -> None:
    link = link_to(Provider(pk=7, name=HOSTILE))

    assert HOSTILE not in link
    assert 'href="/admin/councils/provider/7/change/"' in link
    assert link_to(None) == "–"


def test_filters_of_a_list_are_encoded() -> None:
    assert list_address(CouncilRun) == "/admin/councils/councilrun/"
    assert list_address(CouncilRun, attention="a&b=c") == "/admin/councils/councilrun/?attention=a%26b%3Dc"
