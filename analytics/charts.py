"""Charts as plain geometry: bars and lines over days, for a template to draw. Each has a table behind it and links to the lists.

The plot is stretched to its place, so that it holds no text: labels stand beside it. Coordinates are x = 10 for each day, y = 0 at the
top and 100 at zero.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import floor, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

STEP, BAR, PLOT_HEIGHT = 10, 8, 100
MOST_SERIES = 5
OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One row of values over the days, ``None`` where there is none. ``colour`` names its class in the stylesheet.

    ``addresses`` lead to what each value counts, empty where nothing does; ``address`` to all of it.
    """

    name: str
    colour: str
    values: Sequence[float | None]
    addresses: Sequence[str]
    address: str
    total: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar, or the place over a day where its values can be read."""

    x: float
    y: float
    height: float
    address: str
    words: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a template needs to draw a chart, tell it in a sentence and list it.

    ``lines`` are the drawn paths by colour, ``marks`` the bars (or, over lines, the places to point at).
    """

    key: str
    title: str
    summary: str
    series: Sequence[Series]
    top: str
    middle: str
    first: str
    last: str
    width: int
    marks: Sequence[Mark] = field(default_factory=list)
    lines: Sequence[tuple[str, str]] = field(default_factory=list)
    rows: Sequence[tuple[str, Sequence[Cell]]] = field(default_factory=list)

    @property
    def drawn(self) -> SafeString:
        """The marks as SVG. There are hundreds: a template takes several times as long."""
        return format_html_join(
            "",
            '<a href="{}" tabindex="-1"><rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect></a>',
            (_drawn(mark) for mark in self.marks),
        )

    @property
    def listed(self) -> SafeString:
        """The rows of the table, for the same reason."""
        return format_html_join(
            "",
            '<tr><th scope="row">{}</th>{}</tr>',
            ((day, format_html_join("", "<td>{}</td>", map(_linked, cells))) for day, cells in self.rows),
        )

    @property
    def is_empty(self) -> bool:
        return not any(value for one in self.series for value in one.values)


def _drawn(mark: Mark) -> tuple[object, ...]:
    kind, width = (f"chart-bar {mark.colour}", BAR) if mark.colour else ("chart-place", STEP)
    return mark.address, kind, f"{mark.x:g}", f"{mark.y:.2f}", width, f"{mark.height:.2f}", mark.words


def _linked(cell: Cell) -> tuple[object]:
    return (format_html('<a href="{}">{}</a>', cell.address, cell.text) if cell.address else cell.text,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be drawn: values of ``series`` over ``days``, oldest first, written by ``words``. ``whole`` values are counts."""

    key: str
    title: str
    summary: str
    days: Sequence[date]
    series: Sequence[Series]
    words: Callable[[float], str]
    whole: bool = False


def stacked(plan: Plan) -> Chart:
    """Bars, one on the other, from an honest zero. Their order is that of the legend, from the bottom."""
    days, series, words = plan.days, plan.series, plan.words
    highest = max((sum(one.values[place] or 0 for one in series) for place in range(len(days))), default=0)
    most = nice_count(highest) if plan.whole else nice(highest)
    marks = []
    for place, day in enumerate(days):
        below = 0.0
        for one in series:
            value = one.values[place] or 0
            if not value:
                continue
            height = value * PLOT_HEIGHT / most
            told = f"{day}: {one.name} {words(value)}"
            marks.append(
                Mark(place * STEP + (STEP - BAR) / 2, PLOT_HEIGHT - below - height, height, one.addresses[place], told, one.colour)
            )
            below += height
    return _chart(plan, most, marks=marks)


def lined(plan: Plan) -> Chart:
    """Lines from an honest zero. Days without a value are gaps, a day alone is a dash."""
    days, series, words = plan.days, plan.series, plan.words
    most = nice(max((value or 0 for one in series for value in one.values), default=0))
    marks = []
    for place, day in enumerate(days):
        told = ", ".join(f"{one.name} {words(value)}" for one in series if (value := one.values[place]) is not None)
        if told:
            marks.append(Mark(place * STEP, 0, PLOT_HEIGHT, series[0].addresses[place], f"{day}: {told}"))
    lines = [(one.colour, _path(one.values, most)) for one in series]
    return _chart(plan, most, marks=marks, lines=lines)


def biggest(amounts: Mapping[str, Sequence[float]]) -> tuple[dict[str, Sequence[float]], list[str]]:
    """The largest rows, at most ``MOST_SERIES``: with more than that, the smaller ones become ``others``, whose names come second."""
    names = sorted((name for name in amounts if sum(amounts[name])), key=lambda name: (-sum(amounts[name]), name))
    if len(names) <= MOST_SERIES:
        return {name: amounts[name] for name in names}, []
    kept, rest = names[: MOST_SERIES - 1], names[MOST_SERIES - 1 :]
    others = [sum(values) for values in zip(*(amounts[name] for name in rest), strict=True)]
    return {**{name: amounts[name] for name in kept}, OTHERS: others}, rest


def nice(most: float) -> float:
    """A round number not below ``most`` to end the scale with: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1
    power = 10.0 ** floor(log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most * 0.999999)


def nice_count(most: float) -> float:
    """The same for counts: half of it, which stands at the middle of the scale, is a count too. Nobody asks half a question."""
    power = 10.0 ** floor(log10(max(most, 1)))
    return next(step * power for step in (1, 2, 4, 10) if step * power >= most and step * power % 2 == 0)


def _path(values: Sequence[float | None], most: float) -> str:
    """An SVG path through the values."""
    parts, is_drawing = [], False
    for place, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        x, y = place * STEP + STEP / 2, PLOT_HEIGHT - value * PLOT_HEIGHT / most
        is_alone = not is_drawing and (place + 1 == len(values) or values[place + 1] is None)
        parts.append(f"M{x - 2:g} {y:.2f}h4" if is_alone else f"{'L' if is_drawing else 'M'}{x:g} {y:.2f}")
        is_drawing = True
    return "".join(parts)


def _chart(plan: Plan, most: float, *, marks: Sequence[Mark], lines: Sequence[tuple[str, str]] = ()) -> Chart:
    days, series, words = plan.days, plan.series, plan.words
    rows = [
        (str(days[place]), [_cell(one.values[place], one.addresses[place], words) for one in series])
        for place in range(len(days) - 1, -1, -1)
        if any(one.values[place] for one in series)
    ]
    return Chart(
        key=plan.key,
        title=plan.title,
        summary=plan.summary,
        series=series,
        top=words(most),
        middle=words(most / 2),
        first=f"{days[0]:%d %b}",
        last=f"{days[-1]:%d %b}",
        width=len(days) * STEP,
        marks=marks,
        lines=lines,
        rows=rows,
    )


def _cell(value: float | None, address: str, words: Callable[[float], str]) -> Cell:
    return Cell("–" if value is None else words(value), address if value else "")
