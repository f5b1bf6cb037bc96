"""The rows of one run as the parts of its page read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property

from django.utils import timezone

from councils.engine.deliberation import StepState
from councils.engine.steps import SYNTHESIS
from councils.engine.types import StepStatus
from councils.live.messages import Draft
from councils.models import CallStatus, CouncilRun, ModelCall, RunStep
from councils.runner.work import step_state
from councils.snapshot import Snapshot
from councils.web import phrases
from councils.web.members import Panel, State
from councils.web.retries import retrying, seconds_until_next_try

NO_DRAFT = Draft(attempt=0, text="")
OPEN = frozenset({StepStatus.RUNNING.value, StepStatus.LATE.value})


class Record:
    """A run ``with_details()``, its steps by key, and the text so far of those that are writing (``drafts``, by step key)."""

    def __init__(self, run: CouncilRun, *, drafts: Mapping[str, Draft], now: datetime | None = None) -> None:
        self.run = run
        self.snapshot = Snapshot.from_json(run.config_snapshot)
        self.panel = Panel(self.snapshot)
        self.now = now or timezone.now()
        self.rows: Mapping[str, RunStep] = {step.key: step for step in run.steps.all()}
        self._drafts = drafts

    @property
    def is_live(self) -> bool:
        return self.run.is_live

    @property
    def has_synthesis(self) -> bool:
        """Whether the chairman was asked."""
        return SYNTHESIS in self.rows

    @cached_property
    def steps(self) -> Mapping[str, StepState]:
        """The steps as the engine sees them."""
        return {key: step_state(row) for key, row in self.rows.items()}

    def draft(self, row: RunStep | None) -> Draft:
        """The text so far of a step that is being written."""
        return self._drafts.get(row.key, NO_DRAFT) if row is not None and row.status in OPEN else NO_DRAFT

    def state(self, row: RunStep, states: Mapping[StepStatus, State]) -> State:
        """How a step stands; one whose last try failed says when it is asked again."""
        if self.is_live and last_failure(row):
            return retrying(self._waits.get(row.key, 0))
        return states[StepStatus(row.status)]

    def model(self, row: RunStep, default: str) -> str:
        """The label of the model that gave the result, of the one asked last, or of the one that will be asked."""
        calls = calls_of(row)
        return row.model_name or (self.panel.label_of(calls[-1].model_name) if calls else default)

    @cached_property
    def _waits(self) -> Mapping[str, int]:
        return seconds_until_next_try(self.run, self.now)


def calls_of(row: RunStep) -> Sequence[ModelCall]:
    return list(row.calls.all())


def is_broken_off(row: RunStep) -> bool:
    """Whether the step's text was begun and not finished."""
    return bool(row.text) and row.status in {StepStatus.CANCELLED.value, StepStatus.LATE.value}


def problem_of(row: RunStep) -> str:
    """Why there is no result, or not yet."""
    return phrases.fault(row.error_kind, row.error_message) or last_failure(row)


def last_failure(row: RunStep) -> str:
    """What the last attempt met, while the step still goes on; a new attempt that is being sent makes it history."""
    calls = calls_of(row)
    if row.status != StepStatus.RUNNING.value or not calls or calls[-1].status == CallStatus.SENDING.value:
        return ""
    return phrases.fault(calls[-1].error_kind, calls[-1].error_detail)
