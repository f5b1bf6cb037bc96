"""What is found in an answer, and what is done about it."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from councils.engine.errors import (
    AuthenticationFailed,
    BrokenStream,
    ConnectFailed,
    EgressDenied,
    EmptyAnswer,
    EndpointUnavailable,
    ProviderError,
    Refused,
    StructureUnsupported,
)
from councils.engine.outcome import StepResult
from councils.engine.types import ChatMessage, Completion, CompletionRequest, FinishReason, RunStatus, StepStatus, Usage
from councils.models import CallStatus
from councils.providers.scripted import Reply
from councils.runner.validation import CHECKS, Answer, Strategy, examine, recovery
from councils.tests.durability.support import step
from councils.tests.runner.lives import play
from councils.tests.runner.scripts import Scripted, by_seat, except_for, is_review

Stage = Callable[..., Scripted]
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": False}
SECRET_WORDS = "The unrepeatable words of this answer"


def answer(text: str = "Blue.", *, finish: FinishReason = FinishReason.STOP, model: str = "m", schema: Any = None, **result: Any) -> Answer:
    return Answer(
        request=CompletionRequest(model="m", messages=(ChatMessage(role="user", content="?"),), schema=schema),
        completion=Completion(text=text, finish_reason=finish, usage=Usage(prompt_tokens=1, completion_tokens=1), model=model),
        result=StepResult(**{"status": StepStatus.DONE, "text": text, **result}),
    )


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        (answer(), []),
        (answer(finish=FinishReason.REFUSAL), ["refusal"]),
        (answer(finish=FinishReason.FILTERED), ["content_filter"]),
        (answer("<think>hm</think>", status=StepStatus.FAILED), ["empty"]),
        (answer(finish=FinishReason.SIZE), ["size"]),
        (answer(finish=FinishReason.LENGTH), ["truncated"]),
        (answer("Bl\x00ue\x1b[31m."), ["control_characters"]),
        (answer('{"word": "yes"}', schema=SCHEMA), []),
        (answer('{"word": 5}', schema=SCHEMA), ["schema"]),
        (answer('Sure: {"word": "yes"}', schema=SCHEMA), ["schema"]),
        (answer("no ballot", status=StepStatus.INVALID), ["ballot"]),
        (answer(model="m-2026-01-02"), []),
        (answer(model="another"), ["other_model"]),
        (answer("B\x07", finish=FinishReason.LENGTH, model="another"), ["truncated", "control_characters", "other_model"]),
    ],
)
def test_each_finding_has_its_kind(seen: Answer, kinds: list[str]) -> None:
    assert [check.kind for check in examine(seen)] == kinds


def test_the_kinds_are_distinct() -> None:
    kinds = [check.kind for check in CHECKS]

    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize(
    ("error", "strategies"),
    [
        (ConnectFailed(), (Strategy.RETRY, Strategy.FALLBACK)),
        (BrokenStream(), (Strategy.RETRY, Strategy.FALLBACK)),
        (AuthenticationFailed(), (Strategy.FALLBACK,)),
        (EmptyAnswer(), (Strategy.FALLBACK,)),
        (Refused(), (Strategy.FALLBACK,)),
        (StructureUnsupported(), (Strategy.WEAKER, Strategy.FALLBACK)),
        (EndpointUnavailable(), (Strategy.FALLBACK, Strategy.RETRY)),
        (EgressDenied(), ()),
    ],
)
def test_each_failure_has_its_order_of_recovery(error: ProviderError, strategies: tuple[Strategy, ...]) -> None:
    assert recovery(error) == strategies


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Step, kind and strategy of each line."""
    return [(line.step, line.kind, line.strategy) for line in map(vars_of, caplog.records) if line is not None]


class Line:
    def __init__(self, record: logging.LogRecord) -> None:
        self.step, self.kind, self.strategy = (str(record.__dict__[name]) for name in ("step", "kind", "strategy"))


def vars_of(record: logging.LogRecord) -> Line | None:
    return Line(record) if record.getMessage() == "call.validation" else None


def test_an_answer_that_is_taken_is_marked_and_each_finding_is_one_line_without_its_text(
    scripted: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    odd = Reply(text=f"{SECRET_WORDS}\x07", finish_reason=FinishReason.LENGTH, model="another")
    run = play(scripted(except_for("seat1", lambda request, call: by_seat(request, call) if is_review(request) else odd)).ask()).run

    call = step(run, "opinion:agent_1").calls.get()
    assert (call.status, call.findings) == (CallStatus.DONE, ["truncated", "control_characters", "other_model"])
    assert step(run, "opinion:agent_1").text == SECRET_WORDS
    assert [(kind, how) for at, kind, how in logged(caplog) if at == "opinion:agent_1"] == [
        ("truncated", "accept"),
        ("control_characters", "accept"),
        ("other_model", "accept"),
    ]
    lines = [json.dumps(record.__dict__, default=str) for record in caplog.records if record.getMessage() == "call.validation"]
    assert all(run.public_id in line and SECRET_WORDS not in line for line in lines)
    assert any(call.public_id in line for line in lines)


def test_a_refusal_goes_to_the_fallback_and_says_so(scripted: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusal = Reply(text="I will not.", finish_reason=FinishReason.REFUSAL)
    run = play(scripted(except_for("seat1", lambda *_: refusal), spare=True).ask()).run

    assert step(run, "opinion:agent_1").substituted
    assert ("opinion:agent_1", "refused", "fallback_model") in logged(caplog)


def test_a_reply_that_is_no_ballot_is_repaired_and_then_given_up(scripted: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    prose = except_for("seat1", lambda request, call: "They are all fine." if is_review(request) else by_seat(request, call))
    run = play(scripted(prose).ask()).run

    assert run.status == RunStatus.SUCCEEDED
    told = [(kind, how) for at, kind, how in logged(caplog) if at == "review:agent_1"]
    assert told == [("schema", "repair"), ("ballot", "repair"), ("schema", "give_up"), ("ballot", "give_up")]
    assert [call.findings for call in step(run, "review:agent_1").calls.order_by("attempt")] == [["schema", "ballot"]] * 2
