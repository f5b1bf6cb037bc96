"""The three stages of a run with their counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from councils.engine import panel as vote_panel
from councils.engine.steps import SYNTHESIS, opinion_key
from councils.engine.types import StepStatus
from councils.models import RunStep
from councils.web.costs import STAGE_TITLES
from councils.web.members import State, Text
from councils.web.record import Record

ACTIVE = State(name="active", word=_("now"), icon="active")
TO_COME = State(name="waiting", word=_("to come"), icon="waiting")
LEFT_OUT = State(name="skipped", word=_("left out"), icon="skipped")
WITHOUT_RESULT = State(name="failed", word=_("without a result"), icon="failed")
DONE = State(name="done", word=_("done"), icon="done")
DONE_IN_PART = State(name="partial", word=_("done in part"), icon="partial")
ANSWERED = frozenset({StepStatus.DONE.value, StepStatus.LATE_DONE.value})
KEYS = ("opinion:", "review:", SYNTHESIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageView:
    """One stop of the rail: ``settled`` of ``total`` have come."""

    name: str
    title: Text
    state: State
    settled: int = 0
    total: int = 0

    @property
    def percent(self) -> int:
        return round(100 * self.settled / self.total) if self.total else 0

    @property
    def is_counted(self) -> bool:
        """Whether the count says more than the word."""
        return self.total > 1 and self.state is not LEFT_OUT


def stages_of(record: Record) -> Sequence[StageView]:
    """The rail."""
    begun = [[row for key, row in record.rows.items() if key.startswith(prefix)] for prefix in KEYS]
    expected = (len(record.panel.answering()), _reviewers_expected(record), 1)
    stages = []
    for place, (name, title) in enumerate(STAGE_TITLES.items()):
        rows, total = begun[place], max(expected[place], len(begun[place]))
        settled = sum(row.status in ANSWERED for row in rows)
        state = _state(record, rows, settled=settled, total=total, later=any(begun[place + 1 :]))
        stages.append(StageView(name=name, title=title, state=state, settled=settled, total=total))
    return stages


def _state(record: Record, rows: Sequence[RunStep], *, settled: int, total: int, later: bool) -> State:
    """How a stage stands; ``later``: the stage after it has begun."""
    if not rows:
        return TO_COME if record.is_live and not later and total else LEFT_OUT
    is_open = any(row.status == StepStatus.RUNNING.value for row in rows)
    if record.is_live and (is_open or not later):
        return ACTIVE
    return _ended(settled, of=len(rows))


def _ended(settled: int, *, of: int) -> State:
    if not settled:
        return WITHOUT_RESULT
    return DONE if settled == of else DONE_IN_PART


def _reviewers_expected(record: Record) -> int:
    """Who reviews is known when the opinions are in; until then all who may."""
    spec = record.snapshot.spec
    if not spec.enable_peer_review:
        return 0
    first = [record.steps.get(opinion_key(seat.agent_id)) for seat in spec.answering()]
    if any(step is None or step.status is StepStatus.RUNNING for step in first):
        return len(spec.reviewing())
    return len(vote_panel.reviewers(spec, record.steps))
