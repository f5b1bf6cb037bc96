"""Who is who on the pages of a run: members with their colour, answers with their author, states with their word and shape."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from councils.engine.steps import author_of, candidate_id, round_of
from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilRun
from councils.snapshot import Snapshot

HUES = 9
"""As many colours as people can tell apart; a tenth member shares the first one's."""

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``name`` is for style sheets and scripts, ``word`` for people, ``icon`` the shape beside it."""

    name: str
    word: Text
    icon: str


RUN_STATES: Mapping[str, State] = {
    RunStatus.QUEUED.value: State(name="queued", word=_("Waiting to start"), icon="waiting"),
    RunStatus.RUNNING.value: State(name="running", word=_("Running"), icon="active"),
    RunStatus.SUCCEEDED.value: State(name="succeeded", word=_("Answered"), icon="done"),
    RunStatus.PARTIAL.value: State(name="partial", word=_("Answered in part"), icon="partial"),
    RunStatus.FAILED.value: State(name="failed", word=_("Failed"), icon="failed"),
    RunStatus.CANCELLED.value: State(name="cancelled", word=_("Cancelled"), icon="cancelled"),
}
HELD = State(name="queued", word=_("Waits for the staff"), icon="waiting")


def state_of(run: CouncilRun) -> State:
    """How a run stands, for people."""
    return HELD if run.is_held else RUN_STATES[run.status]


ABSENT = State(name="absent", word=_("not asked"), icon="skipped")
WAITING = State(name="waiting", word=_("waiting"), icon="waiting")
OPINION_STATES: Mapping[StepStatus, State] = {
    StepStatus.RUNNING: State(name="running", word=_("writing"), icon="active"),
    StepStatus.DONE: State(name="done", word=_("answered"), icon="done"),
    StepStatus.FAILED: State(name="failed", word=_("failed"), icon="failed"),
    StepStatus.INVALID: State(name="failed", word=_("not usable"), icon="failed"),
    StepStatus.LATE: State(name="late", word=_("late, not waited for"), icon="late"),
    StepStatus.LATE_DONE: State(name="late", word=_("came too late to count"), icon="late"),
    StepStatus.CANCELLED: State(name="cancelled", word=_("stopped"), icon="cancelled"),
}
REVIEW_STATES: Mapping[StepStatus, State] = {
    **OPINION_STATES,
    StepStatus.RUNNING: State(name="running", word=_("reviewing"), icon="active"),
    StepStatus.DONE: State(name="done", word=_("counted"), icon="done"),
    StepStatus.INVALID: State(name="failed", word=_("not valid, not counted"), icon="failed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One seat as people meet it. ``hue`` counts from 1 and is the same on every page of this council."""

    agent_id: str
    name: str
    model: str
    hue: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was voted on: a member's first one or its revision."""

    candidate: str
    member: Member
    is_revision: bool

    @property
    def anchor(self) -> str:
        return f"opinion-{self.candidate.replace(':', '-')}"


class Panel:
    """The members of one run, from its snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._labels = {target.name: target.label for target in snapshot.models.values()}
        self.members = {
            seat.agent_id: Member(
                agent_id=seat.agent_id,
                name=seat.name,
                model=snapshot.models[seat.model].label,
                hue=place % HUES + 1,
                weight=seat.weight,
            )
            for place, seat in enumerate(snapshot.spec.seats)
        }

    def label_of(self, model_name: str) -> str:
        """What people see of a model that was called; a model that the snapshot does not know keeps its own name."""
        return self._labels.get(model_name, model_name)

    def member(self, agent_id: str) -> Member:
        return self.members[agent_id]

    def answering(self) -> list[Member]:
        return [self.members[seat.agent_id] for seat in self.snapshot.spec.answering()]

    def answer(self, candidate: str) -> Answer:
        return Answer(candidate=candidate, member=self.members[author_of(candidate)], is_revision=round_of(candidate) > 1)

    def answer_of(self, agent_id: str, round_: int) -> Answer:
        return self.answer(candidate_id(agent_id, round_))

    @property
    def chairman_model(self) -> str:
        """What the chairman's model is called; empty when none can be asked."""
        chairs = self.snapshot.spec.chairman
        return self.snapshot.models[chairs[0]].label if chairs else ""
