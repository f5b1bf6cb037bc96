"""What came of a call: an answer, a ballot, a failure, or the need for one repair call."""

from dataclasses import dataclass, replace

from councils.engine.ballots import BallotProblem, read_ballot, strip_reasoning
from councils.engine.errors import EmptyAnswer
from councils.engine.fences import parse_fences, printable, without_controls, without_fences
from councils.engine.prompts import PreparedCall
from councils.engine.repair import repair_call
from councils.engine.steering import NOTES_CLOSE, NOTES_OPEN
from councils.engine.types import Ballot, BallotRung, CouncilSpec, Stage, StepStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What to store of a step.

    ``problem`` is a sentence for people where the status is ``FAILED`` or ``INVALID``. With a ``repair`` the step is not over: make
    that call and conclude again with ``repaired=True``; the status holds if it cannot be made. ``notes`` is what the chairman listed
    before writing: points that only one member saw.
    """

    status: StepStatus
    text: str = ""
    ballot: Ballot | None = None
    problem: str = ""
    error_kind: str = ""
    notes: str = ""
    repair: PreparedCall | None = None


def conclude(spec: CouncilSpec, prepared: PreparedCall, text: str, *, repaired: bool) -> StepResult:
    """The result of a step whose call ended with this text."""
    if prepared.stage is Stage.REVIEW:
        return _conclude_review(spec, prepared, text, repaired=repaired)
    answer, notes = _split_notes(clean_answer(text)) if prepared.stage is Stage.SYNTHESIS else (clean_answer(text), "")
    if not answer:
        return StepResult(status=StepStatus.FAILED, problem=EmptyAnswer().message, error_kind=EmptyAnswer.kind)
    return StepResult(status=StepStatus.DONE, text=answer, notes=notes)


def clean_answer(text: str) -> str:
    """An answer without reasoning blocks, without fences copied from the prompt and without characters that do not show."""
    answer = without_fences(without_controls(strip_reasoning(text))).strip()
    return answer if printable(answer).strip() else ""


def _split_notes(text: str) -> tuple[str, str]:
    """The answer and the notes written before it. Where the marks are incomplete, everything is the answer."""
    before, opened, rest = text.partition(NOTES_OPEN)
    notes, closed, after = rest.partition(NOTES_CLOSE)
    answer = f"{before}{after}".strip()
    if opened and closed and answer:
        return answer, notes.strip()
    return text.replace(NOTES_OPEN, "").replace(NOTES_CLOSE, "").strip(), ""


def _conclude_review(spec: CouncilSpec, prepared: PreparedCall, text: str, *, repaired: bool) -> StepResult:
    shown = [block.text for message in prepared.messages for block in parse_fences(message.content)]
    weight = spec.seat(prepared.agent_id).weight
    read = read_ballot(text, labels=prepared.labels, reviewer=prepared.agent_id, weight=weight, quoted=shown)
    if isinstance(read, BallotProblem):
        repair = None if repaired else repair_call(prepared, text, read)
        return StepResult(
            status=StepStatus.INVALID, text=without_controls(text), problem=read.sentence, error_kind=read.kind.value, repair=repair
        )
    ballot = replace(read, rung=BallotRung.REPAIR_CALL) if repaired else read
    return StepResult(status=StepStatus.DONE, text=without_controls(text), ballot=ballot)
