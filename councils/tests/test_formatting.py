from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_zone
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone, translation

from councils import formatting


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0 ms"),
        (640, "640 ms"),
        (999, "999 ms"),
        (999.7, "1.0 s"),
        (8100, "8.1 s"),
        (9940, "9.9 s"),
        (9950, "10 s"),
        (31_000, "31 s"),
        (59_499, "59 s"),
        (59_500, "1 min 00 s"),
        (65_000, "1 min 05 s"),
        (-5, "0 ms"),
        (None, "unknown"),
        (timedelta(seconds=31), "31 s"),
    ],
)
def test_a_duration_has_a_unit_and_as_many_digits_as_matter(ms: float | timedelta | None, shown: str) -> None:
    assert formatting.duration(ms) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0 USD"),
        ("0.00001", "under 0.0001 USD"),
        ("0.0123", "0.0123 USD"),
        ("0.012", "0.0120 USD"),
        ("1.5", "1.50 USD"),
        ("1234.5", "1,234.50 USD"),
        ("-0.5", "-0.5000 USD"),
    ],
)
def test_an_amount_never_hides_a_cost_behind_a_zero(amount: str, shown: str) -> None:
    assert formatting.usd(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0.00094400", "0.000944 USD"), ("0.00000001", "0.00000001 USD"), ("10", "10 USD"), ("0", "0 USD"), ("1234.50", "1,234.5 USD")],
)
def test_a_ledger_shows_every_digit_and_no_needless_one(amount: str, shown: str) -> None:
    assert formatting.exact_usd(Decimal(amount)) == shown


@pytest.mark.parametrize("write", [formatting.usd, formatting.exact_usd, formatting.number, formatting.figure, formatting.duration])
def test_what_is_unknown_says_so(write: Callable[[Any], str]) -> None:
    assert write(None) == "unknown"


@pytest.mark.parametrize(("seconds", "shown"), [(18, "00:18"), (60, "01:00"), (3723, "1:02:03"), (-1, "00:00")])
def test_a_running_time_reads_like_a_clock(seconds: int, shown: str) -> None:
    assert formatting.clock(timedelta(seconds=seconds)) == shown


def test_how_long_ago_is_told_in_the_largest_unit() -> None:
    now = timezone.now()

    assert formatting.ago(now) == "just now"
    assert formatting.ago(now - timedelta(hours=3, minutes=20)).replace("\xa0", " ") == "3 hours ago"


def test_a_moment_says_its_zone() -> None:
    in_paris = datetime(2026, 3, 1, 16, 5, tzinfo=fixed_zone(timedelta(hours=1)))

    assert formatting.moment(in_paris) == formatting.moment(in_paris.astimezone(UTC)) == "2026-03-01 15:05 UTC"


@pytest.mark.parametrize(("value", "said"), [(0, "0 runs"), (1, "1 run"), (1200, "1,200 runs")])
def test_a_noun_goes_with_its_count(value: int, said: str) -> None:
    assert formatting.counted(value, "run") == said


def test_counts_and_shares_read_easily() -> None:
    assert formatting.number(1234567) == "1,234,567"
    assert formatting.percent(0.333) == "33 %"
    assert (formatting.figure(0.777), formatting.figure(2, 0), formatting.figure(-0.25)) == ("0.78", "2", "-0.25")


def test_figures_are_written_as_the_reader_s_language_does() -> None:
    with translation.override("fr"):
        assert formatting.figure(0.5) == "0,50"
        assert formatting.number(1234567) == "1\xa0234\xa0567"
