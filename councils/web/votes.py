"""The reviews of one round as a matrix of reviewers and answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from councils.engine import panel as vote_panel
from councils.engine.steps import review_key, tally_key
from councils.engine.types import Ballot, StepStatus
from councils.web.counts import Count, count_of
from councils.web.members import ABSENT, REVIEW_STATES, WAITING, Answer, Member, State, Text
from councils.web.record import Record, problem_of

ROUNDS = (1, 2)
NO_BALLOT: Text = _("What the reviewer wrote could not be read as a ballot.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one reviewer said of one answer. ``place`` is its rank on the ballot from 1; ``own``: the reviewer's own, never shown to it.

    ``anchor`` is where the page has the reasoning; empty where there is none.
    """

    answer: Answer
    own: bool = False
    score: float | None = None
    place: int | None = None
    reasoning: str = ""
    anchor: str = ""

    @property
    def heat(self) -> int:
        """0 to 10, for the depth of the cell's colour."""
        return 0 if self.score is None else max(0, min(10, round(self.score)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotRow:
    """One reviewer's line. ``problem`` says why there is no ballot, or why it does not count."""

    reviewer: Member
    state: State
    cells: Sequence[Cell] = ()
    problem: Text = ""

    @property
    def counted(self) -> bool:
        return bool(self.cells)

    @property
    def remarks(self) -> list[Cell]:
        return sorted((cell for cell in self.cells if cell.reasoning), key=lambda cell: cell.place or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One round of reviews. ``asked`` reviewers were asked or will be; while the run lives the others have a line too."""

    round: int
    answers: Sequence[Answer]
    rows: Sequence[BallotRow]
    asked: int
    count: Count | None = None

    @property
    def shades(self) -> range:
        """The scores, for the legend."""
        return range(1, 11)

    @property
    def counted(self) -> int:
        return sum(row.counted for row in self.rows)

    @property
    def has_remarks(self) -> bool:
        return any(row.remarks for row in self.rows)

    @property
    def dissent(self) -> list[tuple[Member, Cell]]:
        """Reviewers who placed another answer first, with what they said of it. Of several that are tied, none is another one."""
        if self.count is None:
            return []
        firsts = [(row.reviewer, cell) for row in self.rows for cell in row.cells if cell.place == 1]
        leaders = self.count.leaders
        leading = {answer.candidate for answer in leaders}
        with_them = {reviewer.agent_id for reviewer, cell in firsts if cell.answer.candidate in leading}
        # Nobody votes on an own answer, so the winner's author cannot dissent.
        bound = with_them | {answer.member.agent_id for answer in leaders}
        return [(reviewer, cell) for reviewer, cell in firsts if reviewer.agent_id not in bound]


def votes_of(record: Record) -> Sequence[Vote]:
    """The rounds of reviews that have begun; before that, while it may come, the first one as it will be."""
    begun = [_vote(record, round_) for round_ in ROUNDS if _asked(record, round_)]
    return begun or ([_to_come(record)] if record.is_live and _may_come(record) else [])


def deciding(votes: Sequence[Vote]) -> Vote | None:
    """The round that decides: the newest one that was counted, else the newest."""
    counted = [vote for vote in votes if vote.count]
    return next(reversed(counted or list(votes)), None)


def _asked(record: Record, round_: int) -> int:
    return sum(review_key(seat.agent_id, round_) in record.rows for seat in record.snapshot.spec.reviewing())


def _may_come(record: Record) -> bool:
    return record.snapshot.spec.enable_peer_review and not record.has_synthesis


def _to_come(record: Record) -> Vote:
    """A round that nobody was asked for yet. Its lines are there already, so that nothing jumps when the ballots come."""
    spec = record.snapshot.spec
    answers = [record.panel.answer(seat.agent_id) for seat in spec.answering()]
    rows = [BallotRow(reviewer=record.panel.member(seat.agent_id), state=WAITING) for seat in spec.reviewing()]
    return Vote(round=1, answers=answers, rows=rows, asked=len(rows))


def _vote(record: Record, round_: int) -> Vote:
    spec = record.snapshot.spec
    counting = record.steps.get(tally_key(round_))
    tally = counting.tally if counting else None
    names = tally.order if tally else vote_panel.candidates(spec, record.steps, round_)
    answers = [record.panel.answer(name) for name in names]
    lines = (_line(record, seat.agent_id, round_, answers) for seat in spec.reviewing())
    rows = [row for row in lines if row.state is not ABSENT or record.is_live]
    return Vote(
        round=round_,
        answers=answers,
        rows=rows,
        asked=_asked(record, round_),
        count=count_of(tally, record.panel) if tally else None,
    )


def _line(record: Record, agent_id: str, round_: int, answers: Sequence[Answer]) -> BallotRow:
    """A reviewer's line; without a counted ballot it holds the reason."""
    reviewer = record.panel.member(agent_id)
    key = review_key(agent_id, round_)
    row = record.rows.get(key)
    if row is None:
        return BallotRow(reviewer=reviewer, state=ABSENT)
    state, ballot = record.state(row, REVIEW_STATES), record.steps[key].ballot
    if ballot is None or row.status != StepStatus.DONE.value:
        said = problem_of(row) or str(row.payload.get("problem") or "")
        return BallotRow(reviewer=reviewer, state=state, problem=said or (NO_BALLOT if row.status == StepStatus.INVALID.value else ""))
    return BallotRow(reviewer=reviewer, state=state, cells=_cells(ballot, reviewer, round_, answers))


def _cells(ballot: Ballot, reviewer: Member, round_: int, answers: Sequence[Answer]) -> Sequence[Cell]:
    places = {agent: place for place, tier in enumerate(ballot.tiers, start=1) for agent in tier}
    verdicts = {verdict.agent_id: verdict for verdict in ballot.verdicts}
    cells = []
    for answer in answers:
        verdict = verdicts.get(answer.candidate)
        reasoning = verdict.reasoning if verdict else ""
        cells.append(
            Cell(
                answer=answer,
                own=answer.member.agent_id == reviewer.agent_id,
                score=verdict.score if verdict else None,
                place=places.get(answer.candidate),
                reasoning=reasoning,
                anchor=f"said-{round_}-{reviewer.agent_id}-{answer.anchor}" if reasoning else "",
            )
        )
    return cells
