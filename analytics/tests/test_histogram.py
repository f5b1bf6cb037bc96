"""Percentiles that survive being added up."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.histogram import BOUNDS, LONGEST_MS, Histogram, exact_percentile

TIMES = st.lists(st.integers(min_value=0, max_value=LONGEST_MS), min_size=1, max_size=60)
SHARES = st.sampled_from([0.5, 0.95, 0.99, 1.0])


def test_without_times_there_is_no_percentile_and_no_average() -> None:
    nothing = Histogram()

    assert (nothing.percentile(0.5), nothing.average_ms, nothing.count) == (None, None, 0)


def test_equal_times_have_exact_percentiles() -> None:
    assert Histogram.of([8_100] * 7).percentile(0.95) == 8_100


def test_percentiles_by_hand() -> None:
    times = Histogram.of(range(1, 101))

    assert [exact_percentile(list(range(1, 101)), share) for share in (0.5, 0.95, 0.99)] == [50, 95, 99]
    for share, true in ((0.5, 50), (0.95, 95), (0.99, 99)):
        told = times.percentile(share)
        assert told is not None
        assert abs(told - true) <= true * 0.1 + 1


def test_the_mean_of_hourly_percentiles_is_not_what_a_merge_says() -> None:
    quiet, busy = Histogram.of([60_000]), Histogram.of([BOUNDS[64]] * 99)
    busy.merge(quiet)

    assert busy.percentile(0.95) == BOUNDS[64]
    assert busy.percentile(1.0) == 60_000


def test_what_takes_longer_than_the_last_class_keeps_its_longest_time() -> None:
    assert Histogram.of([LONGEST_MS * 5, 10]).percentile(1.0) == LONGEST_MS * 5


def test_the_classes_never_change_since_stored_rows_name_them_by_number() -> None:
    assert (len(BOUNDS), BOUNDS[50], BOUNDS[100], BOUNDS[-1]) == (151, 284, 32_904, 3_862_115)


@given(TIMES, SHARES)
def test_a_percentile_is_within_a_tenth_of_the_true_one(times: list[int], share: float) -> None:
    true, told = exact_percentile(sorted(times), share), Histogram.of(times).percentile(share)

    assert true is not None
    assert told is not None
    assert abs(told - true) <= true * 0.1 + 1


@given(st.lists(TIMES, max_size=6))
def test_merged_parts_are_the_whole(parts: list[list[int]]) -> None:
    merged = Histogram()
    for part in parts:
        one = Histogram.of(part)
        merged.merge(Histogram.stored(one.to_json(), one.total_ms, one.least_ms, one.most_ms))

    assert merged == Histogram.of([time for part in parts for time in part])


def test_each_class_reaches_from_the_one_before_to_its_bound() -> None:
    for place in range(1, len(BOUNDS)):
        assert set(Histogram.of([BOUNDS[place - 1] + 1, BOUNDS[place]]).counts) == {place}
