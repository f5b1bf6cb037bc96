"""How a run ends: status, answer, marks and the reason."""

from collections.abc import Mapping
from dataclasses import replace

from councils.engine import panel
from councils.engine.actions import Finish
from councils.engine.errors import BudgetUsedUp
from councils.engine.reasons import Fact, Reason, ReasonCode
from councils.engine.steps import SYNTHESIS, StepState, author_of, is_out_of_budget, opinion_key
from councils.engine.tally import TallyResult
from councils.engine.types import ChairmanMode, CouncilSpec, Mark, RunStatus, StepStatus

CHAIRMAN = "chairman"

Steps = Mapping[str, StepState]


def finish(spec: CouncilSpec, steps: Steps, *, out_of_time: bool = False) -> Finish:
    """End the run with what is there.

    ``failed``: no answer, or fewer than a quorum above the usual two, which is a demand. ``partial``: an answer, but something that
    this council promises is missing: the chairman's words (verbatim), all but one of several members (single), the vote of a review
    that was begun (unreviewed), time (deadline), or money (budget). ``succeeded``: all else, also where a rule left the review out (two
    answers, closed-form answers that agree); that is marked unreviewed too.
    """
    end = _finish(spec, steps, panel.candidates(spec, steps), _marks(spec, steps) | ({Mark.DEADLINE} if out_of_time else set()))
    return replace(end, marks=end.marks | {Mark.CUT}) if _is_cut(steps, end) else end


def _is_cut(steps: Steps, end: Finish) -> bool:
    """Whether the answer is a text that reached the limit on its length."""
    return bool(end.answer) and any(step.cut and step.text == end.answer for step in steps.values())


def _finish(spec: CouncilSpec, steps: Steps, standing: tuple[str, ...], marks: frozenset[Mark]) -> Finish:
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
        # Where one alone was asked, its failure is the run's.
        Mark.DEGRADED: len(spec.answering()) > 1 and any(step.status is not StepStatus.DONE for step in seats),
        Mark.SUBSTITUTED: any(step.substituted for step in steps.values()),
        Mark.CONTESTED: tally is not None and tally.contested,
        Mark.UNREVIEWED: tally is None and reviewable,
        Mark.BUDGET: is_out_of_budget(steps),
    }
    return frozenset(mark for mark, holds in facts.items() if holds)


def _too_few(spec: CouncilSpec, steps: Steps, came: int) -> Reason:
    unasked = BudgetUsedUp.kind if is_out_of_budget(steps) else "no_answer_in_time"
    members = [(seat.name, _fault(steps.get(opinion_key(seat.agent_id)), unasked)) for seat in spec.answering()]
    if not came:
        return Reason(ReasonCode.NO_ANSWER if len(members) > 1 else ReasonCode.NO_ANSWER_OF_ONE, {"members": members})
    return Reason(ReasonCode.TOO_FEW_ANSWERS, {"came": came, "needed": spec.quorum, "members": members})


def _fault(step: StepState | None, unasked: str) -> str:
    if step is None:
        return unasked
    if step.status is StepStatus.RUNNING:
        return "no_answer_in_time"
    if step.status is StepStatus.DONE:
        return "answered"
    return step.error_kind or step.status.value


def _single(spec: CouncilSpec, steps: Steps, only: str, marks: frozenset[Mark]) -> Finish:
    alone = len(spec.answering()) == 1
    if alone and not any(spec.chairman):
        # Nobody but this seat was asked, so that nothing is missing.
        name = spec.seat(author_of(only)).name
        return Finish(RunStatus.SUCCEEDED, panel.answer_text(steps, only), only, marks, Reason(ReasonCode.ONE_ASKED, {"name": name}))
    code = ReasonCode.OUT_OF_BUDGET_ONE_ANSWER if Mark.BUDGET in marks else ReasonCode.ONE_ANSWER
    reason = Reason(ReasonCode.ONE_SEAT if alone else code)
    status = RunStatus.SUCCEEDED if alone else RunStatus.PARTIAL
    return Finish(status, panel.answer_text(steps, only), only, marks | {Mark.SINGLE}, reason)


def _from_chairman(steps: Steps, standing: tuple[str, ...], marks: frozenset[Mark]) -> Finish | None:
    written = _synthesis(steps)
    if written is None:
        return None
    tally = panel.final_tally(steps)
    if tally is not None:
        reason = Reason(ReasonCode.WRITTEN_FROM_BALLOTS, {"answers": len(standing), **_ballots(tally)})
        return Finish(RunStatus.SUCCEEDED, written.text, CHAIRMAN, marks, reason)
    if any(key.startswith("review:") for key in steps):
        return Finish(RunStatus.PARTIAL, written.text, CHAIRMAN, marks, Reason(ReasonCode.WRITTEN_UNRANKED, {"answers": len(standing)}))
    return Finish(RunStatus.SUCCEEDED, written.text, CHAIRMAN, marks, Reason(ReasonCode.WRITTEN_UNREVIEWED, {"answers": len(standing)}))


def _from_vote(spec: CouncilSpec, steps: Steps, standing: tuple[str, ...], marks: frozenset[Mark]) -> Finish:
    """The best answer in its author's own words: chosen by rule under ``select_best``, else for want of a chairman."""
    tally = panel.final_tally(steps)
    best = tally.winner if tally is not None else _heaviest(spec, standing)
    answer, author = panel.answer_text(steps, best), author_of(best)
    name = spec.seat(author).name
    if tally is not None and spec.chairman_mode is ChairmanMode.SELECT_BEST and not marks & _CUT_SHORT:
        return Finish(RunStatus.SUCCEEDED, answer, author, marks, Reason(ReasonCode.CHOSEN, {"name": name, **_ballots(tally)}))
    cause = Mark.BUDGET if Mark.BUDGET in marks else Mark.DEADLINE if Mark.DEADLINE in marks else None
    code = _WITHOUT_CHAIRMAN[cause, tally is not None]
    return Finish(RunStatus.PARTIAL, answer, author, marks | {Mark.VERBATIM}, Reason(code, {"name": name}))


_CUT_SHORT = frozenset({Mark.DEADLINE, Mark.BUDGET})
# By what cut the run short, and whether the answers are ranked.
_WITHOUT_CHAIRMAN: Mapping[tuple[Mark | None, bool], ReasonCode] = {
    (Mark.BUDGET, True): ReasonCode.OUT_OF_BUDGET_FIRST_CHOICE,
    (Mark.BUDGET, False): ReasonCode.OUT_OF_BUDGET_UNRANKED,
    (Mark.DEADLINE, True): ReasonCode.OUT_OF_TIME_FIRST_CHOICE,
    (Mark.DEADLINE, False): ReasonCode.OUT_OF_TIME_UNRANKED,
    (None, True): ReasonCode.NO_CHAIRMAN_FIRST_CHOICE,
    (None, False): ReasonCode.NO_CHAIRMAN_UNRANKED,
}


def _heaviest(spec: CouncilSpec, standing: tuple[str, ...]) -> str:
    return max(standing, key=lambda candidate: spec.seat(candidate).weight)


def _ballots(tally: TallyResult) -> dict[str, Fact]:
    return {"counted": tally.counted, "cast": tally.cast}
