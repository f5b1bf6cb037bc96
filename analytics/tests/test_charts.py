"""Charts: honest geometry."""

from datetime import date

import pytest

from analytics.charts import OTHERS, PLOT_HEIGHT, Plan, Series, biggest, lined, nice, nice_count, stacked

DAYS = [date(2026, 3, day) for day in (1, 2, 3)]


def series(name: str, *values: float | None) -> Series:
    return Series(
        name=name, colour=name, values=values, addresses=[f"/{name}/{place}" for place in range(len(values))], address="/", total=""
    )


def plan(*rows: Series) -> Plan:
    return Plan(key="k", title="T", summary="S", days=DAYS, series=rows, words="{:g}".format)


def test_bars_stand_on_each_other_from_an_honest_zero() -> None:
    chart = stacked(plan(series("a", 2, 0, 10), series("b", 3, 0, 0)))

    assert (chart.top, chart.middle) == ("10", "5")
    first, second, third = chart.marks
    assert (first.y + first.height, first.height) == (PLOT_HEIGHT, 20)
    assert (second.y + second.height, second.height) == (first.y, 30)
    assert (third.y, third.height) == (0, PLOT_HEIGHT)
    assert third.words == "2026-03-03: a 10"


def test_the_table_is_the_newest_day_first_and_leaves_out_days_without_anything() -> None:
    chart = stacked(plan(series("a", 2, 0, 10), series("b", 3, 0, 0)))

    assert [(day, [(cell.text, cell.address) for cell in cells]) for day, cells in chart.rows] == [
        ("2026-03-03", [("10", "/a/2"), ("0", "")]),
        ("2026-03-01", [("2", "/a/0"), ("3", "/b/0")]),
    ]


def test_a_day_without_a_value_is_a_gap_in_the_line_and_a_day_alone_is_a_dash() -> None:
    assert lined(plan(series("a", 5, None, 10))).lines == [("a", "M3 50.00h4M23 0.00h4")]
    assert lined(plan(series("a", None, 5, 10))).lines == [("a", "M15 50.00L25 0.00")]


def test_nothing_at_all_is_an_empty_chart() -> None:
    assert stacked(plan(series("a", 0, 0, 0))).is_empty
    assert lined(plan(series("a", None, None, None))).is_empty


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (3, 5), (5, 5), (5.1, 10), (99, 100), (101, 200), (0.03, 0.05), (1e8, 1e8)])
def test_a_scale_ends_with_a_round_number(most: float, top: float) -> None:
    assert nice(most) == pytest.approx(top)


def test_at_most_five_rows_are_told_apart() -> None:
    amounts = {name: [amount, amount] for name, amount in zip("abcdefg", (1, 7, 3, 6, 2, 5, 0), strict=True)}

    shown, rest = biggest(amounts)

    assert list(shown) == ["b", "d", "f", "c", OTHERS]
    assert (shown[OTHERS], rest) == ([3, 3], ["e", "a"])


@pytest.mark.parametrize(("most", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (5, 10), (11, 20), (21, 40), (41, 100), (100, 100), (101, 200)])
def test_a_scale_of_counts_has_a_count_at_its_middle(most: float, top: float) -> None:
    assert nice_count(most) == top
