"""The charts of the dashboard: the last 30 days by runs, cost, time and errors."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from analytics import addresses
from analytics.charts import OTHERS, Chart, Plan, Series, biggest, lined, stacked
from analytics.histogram import Histogram
from analytics.labels import labels_of
from analytics.queries import Board
from analytics.rollup import ModelName
from councils.engine.types import RunStatus
from councils.formatting import counted, duration, number, usd
from councils.models.budget import to_usd

STATUSES = (RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED)
NOTHING = "Nothing happened in these 30 days."


def trends(board: Board) -> list[Chart]:
    return [_runs(board), _costs(board), _times(board), _errors(board)]


def _runs(board: Board) -> Chart:
    days = list(board.days)
    totals = sum((span.statuses for span in board.days.values()), Counter[str]())
    series = [
        Series(
            name=status.value,
            colour=f"status-{status.value}",
            values=[board.days[day].statuses[status.value] for day in days],
            addresses=[
                addresses.runs(**addresses.on(day), status__exact=status.value) if board.days[day].statuses[status.value] else ""
                for day in days
            ],
            address=addresses.runs(**addresses.since(days[0]), status__exact=status.value),
            total=number(totals[status.value]),
        )
        for status in STATUSES
    ]
    told = f"{counted(totals.total(), 'run')} ended, {number(totals[RunStatus.SUCCEEDED.value])} of them succeeded."
    return stacked(
        Plan(
            key="runs",
            title="Runs by how they ended",
            summary=told if totals.total() else NOTHING,
            days=days,
            series=series,
            words=_count,
            whole=True,
        )
    )


def _costs(board: Board) -> Chart:
    days = list(board.days)
    amounts: dict[ModelName, list[float]] = defaultdict(lambda: [0.0] * len(days))
    for (day, name), units in board.costs.items():
        amounts[name][days.index(day)] += units
    # One model at two providers is two series.
    labels = _labels(amounts)
    shown, rest = biggest({labels[name]: values for name, values in amounts.items()})
    names = {label: name for name, label in labels.items()}
    series = []
    for place, (label, values) in enumerate(shown.items()):
        chosen = _of_models([names[other] for other in (rest if label == OTHERS and rest else [label])])
        series.append(
            Series(
                name=label,
                colour=f"hue-{place + 1}",
                values=values,
                addresses=_calls_of(days, values, chosen),
                address=addresses.calls(**addresses.since(days[0]), **chosen),
                total=_money(sum(values)),
            )
        )
    spent = sum(board.costs.values())
    told = f"{_money(spent)} in 30 days."
    return stacked(
        Plan(
            key="costs",
            title="Cost by model",
            summary=told if spent else "Nothing was paid in these 30 days.",
            days=days,
            series=series,
            words=_money,
        )
    )


def _labels(names: Iterable[ModelName]) -> Mapping[ModelName, str]:
    """A name of its own for each: its label, else what its provider calls it; where that is not enough, with the provider."""
    known = list(names)
    given = labels_of(known)
    shown = {name: given.get(name, name.model) for name in known}
    times = Counter(shown.values())
    return {name: said if times[said] == 1 else f"{name.model} · {name.provider}" for name, said in shown.items()}


def _of_models(names: Sequence[ModelName]) -> dict[str, str | int]:
    if len(names) == 1:
        return {"model_name__exact": names[0].model, "provider_name__exact": names[0].provider}
    return {"model_name__in": ",".join(name.model for name in names)}


def _times(board: Board) -> Chart:
    days = list(board.days)
    shares = (("half within", 0.5, "hue-1"), ("95 % within", 0.95, "hue-2"))
    merged = _merged(board)
    series = [
        Series(
            name=name,
            colour=colour,
            values=[board.days[day].times.percentile(share) for day in days],
            addresses=[addresses.runs(**addresses.on(day)) for day in days],
            address=addresses.runs(**addresses.since(days[0])),
            total=_span(merged.percentile(share)),
        )
        for name, share, colour in shares
    ]
    told = f"Over 30 days half of the runs ended within {series[0].total}, 95 % within {series[1].total}."
    return lined(
        Plan(
            key="times", title="Time from start to answer", summary=told if merged.count else NOTHING, days=days, series=series, words=_span
        )
    )


def _merged(board: Board) -> Histogram:
    merged = Histogram()
    for span in board.days.values():
        merged.merge(span.times)
    return merged


def _errors(board: Board) -> Chart:
    days = list(board.days)
    kinds = sorted({kind for span in board.days.values() for kind in span.errors_by_kind})
    shown, rest = biggest({kind: [board.days[day].errors_by_kind[kind] for day in days] for kind in kinds})
    series = []
    for place, (kind, values) in enumerate(shown.items()):
        chosen = addresses.of_errors(rest if kind == OTHERS and rest else [kind])
        series.append(
            Series(
                name=kind.replace("_", " "),
                colour=f"hue-{place + 1}",
                values=values,
                addresses=_calls_of(days, values, chosen),
                address=addresses.calls(**addresses.since(days[0]), **chosen),
                total=number(int(sum(values))),
            )
        )
    return stacked(
        Plan(key="errors", title="Failed calls by kind", summary=_failed(board), days=days, series=series, words=_count, whole=True)
    )


def _failed(board: Board) -> str:
    failed, asked = sum(span.errors for span in board.days.values()), sum(span.requests for span in board.days.values())
    return f"{number(failed)} of {number(asked)} calls failed ({failed / asked:.1%})." if asked else NOTHING


def _calls_of(days: Sequence[date], values: Sequence[float], chosen: Mapping[str, str | int]) -> list[str]:
    """The list behind each value, where there is one."""
    return [addresses.calls(**addresses.on(day), **chosen) if value else "" for day, value in zip(days, values, strict=True)]


def _count(value: float) -> str:
    return number(round(value)) if value == round(value) else f"{value:g}"


def _money(units: float) -> str:
    return usd(to_usd(round(units)))


def _span(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else duration(milliseconds)
