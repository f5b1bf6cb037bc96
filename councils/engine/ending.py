"""How a run ends: status, answer, marks and one sentence for people."""

from collections.abc import Mapping

from councils.engine import panel
from councils.engine.actions import Finish
from councils.engine.steps import SYNTHESIS, StepState, author_of, opinion_key
from councils.engine.tally import TallyResult
from councils.engine.types import ChairmanMode, CouncilSpec, Mark, RunStatus, StepStatus

CHAIRMAN = "chairman"

Steps = Mapping[str, StepState]


def finish(spec: CouncilSpec, steps: Steps, *, out_of_time: bool = False) -> Finish:
    """End the run with what is there.

    ``failed``: no answer, or fewer than a quorum above the usual two, which is a demand. ``partial``: an answer, but something that
    this council promises is missing: the chairman's words (verbatim), all but one of several members (single), the vote of a review
    that was begun (unreviewed), or time (deadline). ``succeeded``: all else, also where a rule left the review out (two answers,
    closed-form answers that agree); that is marked unreviewed too.
    """
    standing = panel.candidates(spec, steps)
    marks = _marks(spec, steps) | ({Mark.DEADLINE} if out_of_time else set())
    if not standing or (len(standing) < spec.quorum and spec.quorum > panel.MIN_BALLOTS):
        return Finish(RunStatus.FAILED, "", "", marks, _too_few(spec, steps, len(standing)))
    if len(standing) == 1:
        return _single(spec, steps, standing[0], marks)
    return _from_chairman(steps, standing, marks) or _from_vote(spec, steps, standing, marks)


def _synthesis(steps: Steps) -> StepState | None:
    step = steps.get(SYNTHESIS)
    return step if step is not None and step.status is StepStatus.DONE else None


def _marks(spec: CouncilSpec, steps: Steps) -> frozenset[Mark]:
    tally = panel.final_tally(steps)
    seats = [step for key, step in steps.items() if key.startswith(("opinion:", "review:"))]
    reviewable = spec.enable_peer_review and len(panel.candidates(spec, steps)) > 1
    facts = {
        Mark.DEGRADED: any(step.status is not StepStatus.DONE for step in seats),
        Mark.SUBSTITUTED: any(step.substituted for step in steps.values()),
        Mark.CONTESTED: tally is not None and tally.contested,
        Mark.UNREVIEWED: tally is None and reviewable,
    }
    return frozenset(mark for mark, holds in facts.items() if holds)


def _too_few(spec: CouncilSpec, steps: Steps, came: int) -> str:
    faults = [f"{seat.name} ({_fault(steps.get(opinion_key(seat.agent_id)))})" for seat in spec.answering()]
    start = "No member answered" if not came else f"Only {came} of the {spec.quorum} answers that this council needs came"
    return f"{start}: {', '.join(faults)}."


def _fault(step: StepState | None) -> str:
    if step is None or step.status is StepStatus.RUNNING:
        return "no answer in time"
    if step.status is StepStatus.DONE:
        return "answered"
    return step.error_kind.replace("_", " ") or step.status.value.replace("_", " ")


def _single(spec: CouncilSpec, steps: Steps, only: str, marks: frozenset[Mark]) -> Finish:
    alone = len(spec.answering()) == 1
    reason = "This council has one member, and this is its answer." if alone else "Only one member answered, and this is its answer."
    status = RunStatus.SUCCEEDED if alone else RunStatus.PARTIAL
    return Finish(status, panel.answer_text(steps, only), only, marks | {Mark.SINGLE}, reason)


def _from_chairman(steps: Steps, standing: tuple[str, ...], marks: frozenset[Mark]) -> Finish | None:
    written = _synthesis(steps)
    if written is None:
        return None
    tally = panel.final_tally(steps)
    source = f"{len(standing)} answers"
    if tally is not None:
        return Finish(RunStatus.SUCCEEDED, written.text, CHAIRMAN, marks, f"The chairman wrote this from {source} and {_votes(tally)}.")
    if any(key.startswith("review:") for key in steps):
        reason = f"The chairman wrote this from {source}; too few ballots were valid, so the answers are not ranked."
        return Finish(RunStatus.PARTIAL, written.text, CHAIRMAN, marks, reason)
    return Finish(RunStatus.SUCCEEDED, written.text, CHAIRMAN, marks, f"The chairman wrote this from {source} without a review.")


def _from_vote(spec: CouncilSpec, steps: Steps, standing: tuple[str, ...], marks: frozenset[Mark]) -> Finish:
    """The best answer in its author's own words: chosen by rule under ``select_best``, else for want of a chairman."""
    tally = panel.final_tally(steps)
    best = tally.winner if tally is not None else _heaviest(spec, standing)
    answer, author = panel.answer_text(steps, best), author_of(best)
    name = spec.seat(author).name
    if tally is not None and spec.chairman_mode is ChairmanMode.SELECT_BEST and Mark.DEADLINE not in marks:
        return Finish(RunStatus.SUCCEEDED, answer, author, marks, f"The council chose the answer of {name} by {_votes(tally)}.")
    chosen = f"the council's first choice, by {name}" if tally is not None else f"the answer of {name}; the answers are not ranked"
    cause = "The run's time was up" if Mark.DEADLINE in marks else "No chairman answered"
    return Finish(RunStatus.PARTIAL, answer, author, marks | {Mark.VERBATIM}, f"{cause}. This is {chosen}.")


def _heaviest(spec: CouncilSpec, standing: tuple[str, ...]) -> str:
    return max(standing, key=lambda candidate: spec.seat(candidate).weight)


def _votes(tally: TallyResult) -> str:
    return f"{tally.counted} of {tally.cast} ballots"
