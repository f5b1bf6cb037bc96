"""The course of a run as one pure function: what is known of the steps in, what to do next out.

Opinions → review → tally → (extra round) → synthesis → finish. A phase is closed once a step of a later one exists, so a run that
another process takes over goes on where it stood. Exact rules and their reasons: the docstring of ``next_actions``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from councils.engine import panel
from councils.engine.actions import Action, CountVotes, FailStep, Finish, MarkLate, StartCall, Wait
from councils.engine.closed_form import all_agree
from councils.engine.ending import finish
from councils.engine.errors import AnswerTimeout
from councils.engine.steps import (
    LAST_ROUND,
    SYNTHESIS,
    StepState,
    agent_of,
    author_of,
    finished_opinions,
    is_out_of_budget,
    opinion_key,
    review_key,
    round_of,
    stage_of,
    tally_key,
)
from councils.engine.tally import TallyResult
from councils.engine.types import ChairmanMode, CouncilSpec, StepStatus, VotingSystem
from councils.engine.validation import spec_faults, spec_problems, validate

__all__ = [
    "Action",
    "CountVotes",
    "FailStep",
    "Finish",
    "MarkLate",
    "StartCall",
    "StepState",
    "Wait",
    "count_votes",
    "next_actions",
    "spec_faults",
    "spec_problems",
    "validate",
]

SOFT_DEADLINE_FACTOR = 2
MIN_QUORUM = 2
# An extra round is begun only while at least this part of the run's time is left.
EXTRA_ROUND_RESERVE = 0.5

_PHASES = {("opinion", 1): 0, ("review", 1): 1, ("tally", 1): 2, ("opinion", 2): 3, ("review", 2): 4, ("tally", 2): 5, (SYNTHESIS, 1): 6}

Actions = tuple[Action, ...]
GO_ON: Actions = ()


@dataclass(frozen=True, slots=True)
class _Run:
    spec: CouncilSpec
    steps: Mapping[str, StepState]
    elapsed_s: float
    may_ask: bool

    def is_closed(self, kind: str, round_: int) -> bool:
        """Whether a step of a later phase exists."""
        return any(_phase(key) > _PHASES[kind, round_] for key in self.steps)

    def has_begun(self, kind: str, round_: int) -> bool:
        return any(_phase(key) >= _PHASES[kind, round_] for key in self.steps)


def _phase(key: str) -> int:
    return _PHASES[key.partition(":")[0], round_of(key)]


def next_actions(spec: CouncilSpec, steps: Mapping[str, StepState], *, elapsed_s: float) -> tuple[Action, ...]:
    """What to do now, never empty: only things not begun yet, or a ``Wait``, or one ``Finish``. ``elapsed_s``: since the run started.

    Opinions: none → failed; fewer than a quorum above two → failed; one → that answer, marked single; two by members → the chairman
    without review. Once ``max(quorum, 2)`` answers are in, who takes longer than the soft deadline is late. The same holds for
    ballots once at least two are valid and every answer is on one of them. A ``patient`` council calls nobody late. A step past the
    stage's deadline has failed; for the synthesis each chairman of the list adds one such deadline.

    Review valid → tally, and under ``consensus`` at most one extra round. Not valid → the chairman alone, marked unreviewed.
    ``select_best`` ends with the winner's own words; otherwise the chairman writes, and if it fails the top-ranked answer stands
    verbatim. The run's deadline ends everything with what is there. Once a budget has refused a call none is begun any more: what is under
    way is waited for, and what is there ends the run. What each ending is called: ``ending.finish``.
    """
    run = _Run(spec, steps, elapsed_s, may_ask=not is_out_of_budget(steps))
    phases = (_gather_opinions, _review, _extra_opinions, _extra_review, _synthesise)
    actions = next((actions for phase in phases if (actions := phase(run))), None) or (finish(spec, steps),)
    if elapsed_s < spec.run_deadline_s or isinstance(actions[0], Finish):
        return actions
    return _count_what_is_there(run) or (finish(spec, steps, out_of_time=True),)


def count_votes(spec: CouncilSpec, key: str, steps: Mapping[str, StepState]) -> TallyResult:
    """The result of a ``CountVotes`` action."""
    return panel.count_round(spec, steps, round_of(key))


def _gather_opinions(run: _Run) -> Actions:
    if run.is_closed("opinion", 1):
        return GO_ON
    keys = [opinion_key(seat.agent_id) for seat in run.spec.answering()]
    answered = sum(1 for _ in finished_opinions(run.steps))
    actions = _gather(run, keys, leave_stragglers=answered >= max(run.spec.quorum, MIN_QUORUM))
    if actions or answered >= max(run.spec.quorum, MIN_QUORUM):
        return actions
    return (finish(run.spec, run.steps),)


def _review(run: _Run) -> Actions:
    if not run.spec.enable_peer_review or run.is_closed("tally", 1) or not panel.can_review(run.spec, run.steps):
        return GO_ON
    return GO_ON if _may_skip_review(run) else _gather_ballots(run, 1)


def _may_skip_review(run: _Run) -> bool:
    return run.spec.skip_review_when_closed_form_agrees and all_agree([step.text for step in finished_opinions(run.steps)])


def _gather_ballots(run: _Run, round_: int) -> Actions:
    if not run.is_closed("review", round_):
        keys = [review_key(seat.agent_id, round_) for seat in panel.reviewers(run.spec, run.steps, round_)]
        actions = _gather(run, keys, leave_stragglers=panel.is_valid_vote(run.spec, run.steps, round_))
        if actions:
            return actions
    return _count(run, round_)


def _count(run: _Run, round_: int) -> Actions:
    if run.is_closed("review", round_) or not panel.is_valid_vote(run.spec, run.steps, round_):
        return GO_ON
    return (CountVotes(tally_key(round_)),)


def _count_what_is_there(run: _Run) -> Actions:
    """Counting costs no time, so ballots that are in are counted even when the run's time is up."""
    for round_ in (1, LAST_ROUND):
        if run.has_begun("review", round_) and not run.is_closed("review", round_):
            return _count(run, round_)
    return GO_ON


def _extra_opinions(run: _Run) -> Actions:
    if not _has_extra_round(run) or run.is_closed("opinion", LAST_ROUND):
        return GO_ON
    keys = [opinion_key(author_of(candidate), LAST_ROUND) for candidate in panel.candidates(run.spec, run.steps)]
    answered = sum(1 for _ in finished_opinions(run.steps, LAST_ROUND))
    return _gather(run, keys, leave_stragglers=answered >= max(run.spec.quorum, MIN_QUORUM))


def _has_extra_round(run: _Run) -> bool:
    tally = panel.final_tally(run.steps)
    wanted = run.spec.extra_round and run.spec.voting_system is VotingSystem.CONSENSUS and tally is not None and tally.reached is False
    in_time = run.elapsed_s < run.spec.run_deadline_s * (1 - EXTRA_ROUND_RESERVE)
    return run.has_begun("opinion", LAST_ROUND) or (wanted and in_time)


def _extra_review(run: _Run) -> Actions:
    if not run.has_begun("opinion", LAST_ROUND) or run.is_closed("tally", LAST_ROUND):
        return GO_ON
    first, second = (panel.candidates(run.spec, run.steps, round_) for round_ in (1, LAST_ROUND))
    return _gather_ballots(run, LAST_ROUND) if len(second) > len(first) else GO_ON


def _synthesise(run: _Run) -> Actions:
    if run.spec.chairman_mode is ChairmanMode.SELECT_BEST and panel.final_tally(run.steps) is not None:
        return GO_ON
    return _gather(run, [SYNTHESIS], deadline_s=run.spec.stage_deadline_s * len(run.spec.chairman))


def _gather(run: _Run, keys: Sequence[str], *, leave_stragglers: bool = False, deadline_s: float | None = None) -> Actions:
    """Begin what has not begun, give up what is overdue, wait for the rest; nothing once all are settled."""
    missing = [StartCall(key, stage_of(key), agent_of(key)) for key in keys if run.may_ask and key not in run.steps]
    known = [run.steps[key] for key in keys if key in run.steps]
    running = [step for step in known if step.status is StepStatus.RUNNING]
    hard_s = deadline_s or run.spec.stage_deadline_s
    soft_s = min(_soft_deadline(run.spec, known), hard_s) if leave_stragglers and not run.spec.patient else hard_s
    overdue = [_give_up(step, hard_s) for step in running if step.elapsed_s >= soft_s]
    return (*missing, *overdue) or _wait(run, running, soft_s)


def _wait(run: _Run, running: Sequence[StepState], limit_s: float) -> Actions:
    if not running:
        return GO_ON
    next_change_s = limit_s - max(step.elapsed_s for step in running)
    return (Wait(min(next_change_s, run.spec.run_deadline_s - run.elapsed_s)),)


def _soft_deadline(spec: CouncilSpec, steps: Iterable[StepState]) -> float:
    answered = (StepStatus.DONE, StepStatus.INVALID)
    latencies = [step.latency_s for step in steps if step.status in answered and step.latency_s is not None]
    return max(spec.soft_deadline_min_s, SOFT_DEADLINE_FACTOR * median(latencies)) if latencies else spec.soft_deadline_min_s


def _give_up(step: StepState, hard_s: float) -> MarkLate | FailStep:
    return FailStep(step.key, AnswerTimeout.kind) if step.elapsed_s >= hard_s else MarkLate(step.key)
