"""What the ballots of one round came to, as a page shows it: the order, every way of counting side by side, the run-off."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from councils.engine.tally import TallyResult
from councils.engine.types import VotingSystem
from councils.web.members import Answer, Panel, Text
from councils.web.ties import is_run_off, shared_places

AGREEMENT_WORDS: Mapping[str, Text] = {
    "strong": _("strong"),
    "moderate": _("moderate"),
    "weak": _("weak"),
    "none": _("none"),
    "not measurable": _("not measurable"),
}
SYSTEMS: Mapping[VotingSystem, Text] = {
    VotingSystem.RANKED_CHOICE: _("ranked choice"),
    VotingSystem.WEIGHTED: _("weighted scores"),
    VotingSystem.CONSENSUS: _("consensus"),
}

TIES_OF_A_RUN_OFF: Text = _(
    "Among equals the one with fewer points (Borda) drops out first, then the one that wins fewer duels against them, "
    "then one by lot, which is fixed for each run."
)
TIES_OF_FIGURES: Text = _("Among equals the one with more points (Borda) comes first, then one by lot, which is fixed for each run.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to count. ``explanation`` is one sentence for people who do not know it."""

    key: str
    title: Text
    explanation: Text
    digits: int = 2


METHODS = (
    Method(
        key="borda",
        title=_("Share of points (Borda)"),
        explanation=_("The average share of the other answers that reviewers placed below this one."),
    ),
    Method(
        key="copeland",
        title=_("Duels won (Copeland)"),
        explanation=_("The share of the other answers that it beats one against one; a tie counts half."),
    ),
    Method(
        key="schulze",
        title=_("Beatpaths (Schulze)"),
        explanation=_("How many answers it beats directly or by way of others, along the strongest chain."),
        digits=0,
    ),
    Method(
        key="weighted",
        title=_("Score, evened out"),
        explanation=_("The mean score from 1 to 10 after removing how generous each reviewer is."),
        digits=1,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one method gives every answer. ``agrees``: the council's winner is among its best."""

    method: Method
    values: Mapping[str, float]
    agrees: bool

    def figure(self, candidate: str) -> "Figure":
        best = [name for name, value in self.values.items() if value == max(self.values.values())]
        is_best = candidate in best
        return Figure(method=self.method, value=self.values[candidate], first=best == [candidate], shared=is_best and len(best) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one method gives one answer; ``first`` marks that method's only winner, ``shared`` each of several."""

    method: Method
    value: float
    first: bool
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An answer's place in the order; ``tied``: only the lot has told it apart from another one at this place."""

    place: int
    tied: bool
    answer: Answer
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """An answer in one round of the run-off: its share of the votes it could get, and whether it drops out or wins with it."""

    share: float
    dropped: bool
    won: bool

    @property
    def width(self) -> int:
        """In percent of the bar."""
        return round(self.share * 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One answer through the rounds; ``None`` where it is out already."""

    answer: Answer
    shares: Sequence[Share | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The tally for people. ``margin`` is in shares of points, ``score`` the agreement in [0, 1] or ``None``.

    ``courses`` is the run-off, the answer that stayed longest first. ``ties`` says in one sentence how ties are broken; empty where
    none was.
    """

    winner: Answer
    system: Text
    standings: Sequence[Standing]
    columns: Sequence[Column]
    courses: Sequence[Course]
    agreement: Text
    score: float | None
    margin: float | None
    contested: bool
    has_cycle: bool
    reached: bool | None
    counted: int
    cast: int
    ties: Text

    @property
    def leaders(self) -> list[Answer]:
        """Who shares the first place; the winner alone where nobody does."""
        return [standing.answer for standing in self.standings if standing.place == 1]

    @property
    def rounds(self) -> range:
        """The numbers of the run-off's rounds."""
        return range(1, max((len(course.shares) for course in self.courses), default=0) + 1)

    @property
    def agreement_percent(self) -> int:
        """Where the agreement lies on its scale from 0 to 100."""
        return round((self.score or 0) * 100)


def count_of(tally: TallyResult, panel: Panel) -> Count:
    """The tally in the words of the page."""
    columns = _columns(tally)
    standings = _standings(tally, panel, columns)
    return Count(
        winner=panel.answer(tally.winner),
        system=SYSTEMS[tally.system],
        standings=standings,
        columns=columns,
        courses=_courses(tally, panel),
        agreement=AGREEMENT_WORDS[tally.agreement.word],
        score=None if tally.agreement.score is None else float(tally.agreement.score),
        margin=None if tally.margin is None else float(tally.margin),
        contested=tally.contested,
        has_cycle=tally.has_cycle,
        reached=tally.reached,
        counted=tally.counted,
        cast=tally.cast,
        ties=_tie_rule(tally) if any(standing.tied for standing in standings) else "",
    )


def _columns(tally: TallyResult) -> Sequence[Column]:
    """The methods that these ballots allow."""
    exact = {"borda": tally.borda, "copeland": tally.copeland, "schulze": tally.schulze_wins, "weighted": tally.weighted}
    columns = []
    for method in METHODS:
        figures = exact[method.key]
        if figures is not None:
            values = {name: float(value) for name, value in figures.items()}
            columns.append(Column(method=method, values=values, agrees=values[tally.winner] == max(values.values())))
    return columns


def _standings(tally: TallyResult, panel: Panel, columns: Sequence[Column]) -> Sequence[Standing]:
    places = shared_places(tally)
    taken = Counter(places.values())
    return [
        Standing(
            place=places[candidate],
            tied=taken[places[candidate]] > 1,
            answer=panel.answer(candidate),
            figures=[column.figure(candidate) for column in columns],
        )
        for candidate in tally.order
    ]


def _courses(tally: TallyResult, panel: Panel) -> Sequence[Course]:
    dropped = [round_.dropped for round_ in tally.rounds]
    stayed = [name for name in tally.borda if name not in dropped]
    last = len(tally.rounds) - 1

    def share(place: int, name: str) -> Share | None:
        round_ = tally.rounds[place]
        if name not in round_.shares:
            return None
        is_out = name == round_.dropped
        return Share(share=float(round_.shares[name]), dropped=is_out, won=place == last and not is_out)

    order = [*stayed, *reversed(dropped)] if dropped else []
    return [Course(answer=panel.answer(name), shares=[share(place, name) for place in range(len(dropped))]) for name in order]


def _tie_rule(tally: TallyResult) -> Text:
    return TIES_OF_A_RUN_OFF if is_run_off(tally) else TIES_OF_FIGURES
