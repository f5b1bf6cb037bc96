from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_zone
from decimal import Decimal

import pytest
from django.utils import timezone

from councils.templatetags import council as tags
from councils.web.members import OPINION_STATES, REVIEW_STATES, RUN_STATES, State


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0.0 s"),
        (8100, "8.1 s"),
        (9940, "9.9 s"),
        (9950, "10 s"),
        (31_000, "31 s"),
        (59_499, "59 s"),
        (59_500, "1 min 00 s"),
        (65_000, "1 min 05 s"),
        (-5, "0.0 s"),
        (None, "unknown"),
        (timedelta(seconds=31), "31 s"),
    ],
)
def test_a_duration_has_a_unit_and_as_many_digits_as_matter(ms: float | timedelta | None, shown: str) -> None:
    assert tags.duration(ms) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0 USD"),
        ("0.00001", "under 0.0001 USD"),
        ("0.0123", "0.0123 USD"),
        ("1.5", "1.50 USD"),
        ("1234.5", "1,234.50 USD"),
    ],
)
def test_an_amount_never_hides_a_cost_behind_a_zero(amount: str, shown: str) -> None:
    assert tags.usd(Decimal(amount)) == shown


def test_what_is_unknown_says_so() -> None:
    assert (tags.usd(None), tags.number(None), tags.figure(None)) == ("unknown", "unknown", "unknown")


@pytest.mark.parametrize(("seconds", "shown"), [(18, "00:18"), (60, "01:00"), (3723, "1:02:03"), (-1, "00:00")])
def test_a_running_time_reads_like_a_clock(seconds: int, shown: str) -> None:
    assert tags.clock(timedelta(seconds=seconds)) == shown


def test_how_long_ago_is_told_in_the_largest_unit() -> None:
    now = timezone.now()

    assert tags.ago(now) == "just now"
    assert tags.ago(now - timedelta(hours=3, minutes=20)).replace("\xa0", " ") == "3 hours ago"


def test_a_moment_says_its_zone() -> None:
    in_paris = datetime(2026, 3, 1, 16, 5, tzinfo=fixed_zone(timedelta(hours=1)))

    assert tags.moment(in_paris) == tags.moment(in_paris.astimezone(UTC)) == "March 1, 2026, 3:05 p.m. UTC"


def test_counts_and_shares_read_easily() -> None:
    assert (tags.number(1234567), tags.percent(0.333), tags.figure(0.777), tags.figure(2, 0)) == ("1,234,567", "33 %", "0.78", "2")


def test_a_tenth_member_takes_the_first_colour_again() -> None:
    assert [tags.hue(place) for place in (1, 9, 10)] == [1, 9, 1]


@pytest.mark.parametrize("state", [*RUN_STATES.values(), *OPINION_STATES.values(), *REVIEW_STATES.values()], ids=lambda state: state.name)
def test_every_state_has_a_word_and_a_shape(state: State) -> None:
    assert str(state.word)
    assert "<svg" in tags.icon(state.icon)
