"""What is looked for in every answer, and what is done about it: two tables, and one line of the log for each finding.

A finding with an error makes the answer unusable: the loop of ``attempts`` goes on as after any failure. All others are marked on the
call (``ModelCall.findings``) and the answer is taken, or the one repair call is made.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from councils.engine.errors import (
    BrokenStream,
    ContentFiltered,
    EmptyAnswer,
    EndpointUnavailable,
    ProviderError,
    Refused,
    StructureUnsupported,
)
from councils.engine.fences import without_controls
from councils.engine.outcome import StepResult
from councils.engine.types import BallotRung, Completion, CompletionRequest, FinishReason, StepStatus
from councils.providers.model_names import is_same_model
from councils.providers.structured import fits_schema

logger = logging.getLogger(__name__)


class Strategy(StrEnum):
    """What is done about a finding."""

    RETRY = "retry"  # the same model again, at another endpoint or after a pause
    WEAKER = "weaker_structure"  # the same model, asked for JSON in a weaker way
    REPAIR = "repair"  # one call that shows the model its own reply
    FALLBACK = "fallback_model"
    ACCEPT = "accept"  # taken, and marked
    GIVE_UP = "give_up"


RECOVERY: Mapping[type[ProviderError], tuple[Strategy, ...]] = {
    StructureUnsupported: (Strategy.WEAKER, Strategy.FALLBACK),
    # Nothing was sent: another model may answer at once, waiting helps only where there is none.
    EndpointUnavailable: (Strategy.FALLBACK, Strategy.RETRY),
}
"""Failures with an order of their own. All others: retry where the error may pass, then the fallback model where another may do better."""

ANSWER_FAULTS = (BrokenStream, EmptyAnswer, Refused, StructureUnsupported)
"""Failures that speak of the answer, not of the way to it."""


def recovery(error: ProviderError) -> tuple[Strategy, ...]:
    """What to try after ``error``, in this order; after that, the step has failed."""
    usual = (*((Strategy.RETRY,) if error.retryable else ()), *((Strategy.FALLBACK,) if error.fallback else ()))
    return RECOVERY.get(type(error), usual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer with what was asked and what the engine made of it."""

    request: CompletionRequest
    completion: Completion
    result: StepResult

    @property
    def usable(self) -> Strategy:
        """What becomes of it where it is not an answer that must be thrown away."""
        if self.result.status is not StepStatus.INVALID:
            return Strategy.ACCEPT
        return Strategy.GIVE_UP if self.result.repair is None else Strategy.REPAIR

    @property
    def is_as_asked(self) -> bool:
        """Whether it has the structure that was asked for. A ballot that the strictest reading took needs no second look."""
        ballot, schema = self.result.ballot, self.request.schema
        return schema is None or (ballot is not None and ballot.rung is BallotRung.STRICT) or fits_schema(self.completion.text, schema)

    def finished(self, reason: FinishReason) -> bool:
        return self.completion.finish_reason is reason


@dataclass(frozen=True, slots=True)
class Check:
    """``error`` is what an answer with this finding counts as; without one it is taken as far as it can be used."""

    kind: str
    found: Callable[[Answer], bool]
    error: type[ProviderError] | None = None


CHECKS: tuple[Check, ...] = (
    Check("refusal", lambda answer: answer.finished(FinishReason.REFUSAL), Refused),
    Check("content_filter", lambda answer: answer.finished(FinishReason.FILTERED), ContentFiltered),
    Check("empty", lambda answer: answer.result.status is StepStatus.FAILED, EmptyAnswer),
    Check("size", lambda answer: answer.finished(FinishReason.SIZE)),
    Check("truncated", lambda answer: answer.finished(FinishReason.LENGTH)),
    Check("control_characters", lambda answer: without_controls(answer.completion.text) != answer.completion.text),
    Check("schema", lambda answer: not answer.is_as_asked),
    Check("ballot", lambda answer: answer.result.status is StepStatus.INVALID),
    Check("other_model", lambda answer: not is_same_model(answer.request.model, answer.completion.model)),
)
"""In order of weight: the first one with an error decides."""


def examine(answer: Answer) -> Iterator[Check]:
    """The checks that this answer does not pass."""
    return (check for check in CHECKS if check.found(answer))


def note(kind: str, strategy: Strategy, *, run: str, step: str, call: str) -> None:
    """Log one finding. Neither prompt nor answer is told, only where to look."""
    logger.info("call.validation", extra={"run": run, "step": step, "call": call, "kind": kind, "strategy": strategy.value})
