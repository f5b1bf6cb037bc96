"""The vote of one round as a page shows it: a matrix of reviewers and answers, and the count beside the other methods."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from councils.engine.tally import TallyResult
from councils.engine.types import Ballot, StepStatus, VotingSystem
from councils.models import RunStep
from councils.web.members import Answer, Member, Panel, State, Text
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
class Cell:
    """What one reviewer said of one answer. ``place`` is its rank on the ballot from 1; ``own``: the reviewer's own, never shown to it."""

    answer: Answer
    own: bool = False
    score: float | None = None
    place: int | None = None
    reasoning: str = ""

    @property
    def heat(self) -> int:
        """0 to 10, for the depth of the cell's colour."""
        return 0 if self.score is None else max(0, min(10, round(self.score)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotRow:
    """One reviewer's line. ``problem`` says why there is no ballot, or why it does not count."""

    reviewer: Member
    state: State
    cells: Sequence[Cell]
    problem: str = ""

    @property
    def counted(self) -> bool:
        return bool(self.cells)

    @property
    def remarks(self) -> list[Cell]:
        return sorted((cell for cell in self.cells if cell.reasoning), key=lambda cell: cell.place or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    answer: Answer
    share: float
    dropped: bool

    @property
    def width(self) -> int:
        return round(self.share * 100)


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
class Figure:
    """What one method gives one answer; ``first`` marks that method's only winner, ``shared`` each of several."""

    method: Method
    value: float | None
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
class Count:
    """The tally for people. ``margin`` is in shares of points, ``score`` the agreement in [0, 1] or ``None``.

    ``ties`` says in one sentence how ties are broken; empty where none was.
    """

    winner: Answer
    system: Text
    standings: Sequence[Standing]
    methods: Sequence[Method]
    rounds: Sequence[Sequence[Share]]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One round of reviews."""

    round: int
    answers: Sequence[Answer]
    rows: Sequence[BallotRow]
    count: Count | None

    @property
    def counted(self) -> int:
        return sum(row.counted for row in self.rows)

    @property
    def dissent(self) -> list[tuple[Member, Cell]]:
        """Reviewers who placed another answer first, with what they said of it."""
        if self.count is None:
            return []
        firsts = ((row.reviewer, cell) for row in self.rows for cell in row.cells if cell.place == 1)
        winner = self.count.winner.candidate
        with_winner = {
            row.reviewer.agent_id for row in self.rows for cell in row.cells if cell.place == 1 and cell.answer.candidate == winner
        }
        # Nobody votes on an own answer, so the winner's author cannot dissent.
        bound = with_winner | {self.count.winner.member.agent_id}
        return [(reviewer, cell) for reviewer, cell in firsts if reviewer.agent_id not in bound]


def ballot_row(step: RunStep, ballot: Ballot | None, reviewer: Member, answers: Sequence[Answer], state: State) -> BallotRow:
    """The line of this review step; without a counted ballot it holds the reason."""
    if ballot is None or step.status != StepStatus.DONE.value:
        problem = step.payload.get("problem") or step.error_message
        return BallotRow(reviewer=reviewer, state=state, cells=(), problem=str(problem))
    places = {agent: place for place, tier in enumerate(ballot.tiers, start=1) for agent in tier}
    verdicts = {verdict.agent_id: verdict for verdict in ballot.verdicts}
    cells = []
    for answer in answers:
        verdict = verdicts.get(answer.candidate)
        cells.append(
            Cell(
                answer=answer,
                own=answer.member.agent_id == reviewer.agent_id,
                score=verdict.score if verdict else None,
                place=places.get(answer.candidate),
                reasoning=verdict.reasoning if verdict else "",
            )
        )
    return BallotRow(reviewer=reviewer, state=state, cells=cells)


def present_count(tally: TallyResult, panel: Panel) -> Count:
    """The tally in the words of the page."""
    values: dict[str, Mapping[str, float] | None] = {
        "borda": {name: float(value) for name, value in tally.borda.items()},
        "copeland": {name: float(value) for name, value in tally.copeland.items()},
        "schulze": {name: float(value) for name, value in tally.schulze_wins.items()},
        "weighted": None if tally.weighted is None else {name: float(value) for name, value in tally.weighted.items()},
    }
    methods = [method for method in METHODS if values[method.key] is not None]
    standings = _standings(tally, panel, methods, values)
    rounds = [
        [
            Share(answer=panel.answer(name), share=float(share), dropped=name == round_.dropped)
            for name, share in sorted(round_.shares.items(), key=lambda item: -item[1])
        ]
        for round_ in tally.rounds
    ]
    return Count(
        winner=panel.answer(tally.winner),
        system=SYSTEMS[tally.system],
        standings=standings,
        methods=methods,
        rounds=rounds,
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


def _standings(
    tally: TallyResult, panel: Panel, methods: Sequence[Method], values: Mapping[str, Mapping[str, float] | None]
) -> Sequence[Standing]:
    places = shared_places(tally)
    taken = Counter(places.values())

    def figure(method: Method, candidate: str) -> Figure:
        column = values[method.key] or {}
        value = column.get(candidate)
        best = [name for name, other in column.items() if other == max(column.values())]
        return Figure(method=method, value=value, first=best == [candidate], shared=len(best) > 1 and candidate in best)

    return [
        Standing(
            place=places[candidate],
            tied=taken[places[candidate]] > 1,
            answer=panel.answer(candidate),
            figures=[figure(method, candidate) for method in methods],
        )
        for candidate in tally.order
    ]


def _tie_rule(tally: TallyResult) -> Text:
    return TIES_OF_A_RUN_OFF if is_run_off(tally) else TIES_OF_FIGURES
