"""How a run goes on when models fail: retry, fallback, weaker structure, repair, and the best that is left."""

import asyncio
from collections.abc import Callable

import pytest

from councils.engine.errors import (
    AuthenticationFailed,
    BadRequest,
    BrokenStream,
    ConnectFailed,
    ContextTooLong,
    EgressDenied,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    StructureUnsupported,
)
from councils.engine.types import CompletionRequest, FinishReason, RunStatus, StepStatus, StructuredMode
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, ModelCall, ModelInfo, Provider
from councils.providers.scripted import Answer, Reply
from councils.tests.durability.support import event_types, step
from councils.tests.runner.lives import audit_scripted, play
from councils.tests.runner.scripts import Scripted, ballot_for, by_seat, except_for, name_of

Stage = Callable[..., Scripted]


def statuses(run: CouncilRun, key: str) -> list[str]:
    return [call.status for call in ModelCall.objects.filter(run=run, step__key=key).order_by("attempt")]


def first_fails_with(error: ProviderError, times: int = 1) -> Callable[[CompletionRequest, int], Answer]:
    return lambda request, call: error if call < times else by_seat(request, call)


@pytest.mark.parametrize("error", [ProviderUnavailable(), ConnectFailed(), RateLimited(), BrokenStream()])
def test_a_passing_fault_is_tried_again(scripted: Stage, error: ProviderError) -> None:
    council = scripted(except_for("seat1", first_fails_with(error)))

    run = play(council.ask()).run

    assert (run.status, run.marks) == (RunStatus.SUCCEEDED, [])
    assert len(statuses(run, "opinion:agent_1")) == 2
    assert "call_failed" in event_types(run)


@pytest.mark.parametrize("error", [AuthenticationFailed(), BadRequest(), ContextTooLong(), EgressDenied()])
def test_a_fault_that_stays_is_not_tried_again(scripted: Stage, error: ProviderError) -> None:
    council = scripted(except_for("seat1", lambda *_: error))

    run = play(council.ask()).run

    assert (statuses(run, "opinion:agent_1"), run.status) == ([CallStatus.REFUSED], RunStatus.SUCCEEDED)
    assert (step(run, "opinion:agent_1").status, step(run, "opinion:agent_1").error_kind) == (StepStatus.FAILED, error.kind)
    assert "degraded" in run.marks


def test_no_step_is_tried_more_than_four_times(scripted: Stage) -> None:
    council = scripted(except_for("seat1", lambda *_: ProviderUnavailable()))

    run = play(council.ask()).run

    assert len(statuses(run, "opinion:agent_1")) == 4
    assert len(council.asked("seat1")) == 4


def test_a_provider_that_asks_for_too_much_patience_is_not_waited_for(scripted: Stage) -> None:
    council = scripted(except_for("seat1", lambda *_: RateLimited(retry_after_s=86_400)))

    run = play(council.ask()).run

    assert len(statuses(run, "opinion:agent_1")) == 1
    assert run.status == RunStatus.SUCCEEDED


def test_the_fallback_model_speaks_for_a_seat_and_the_run_says_so(scripted: Stage) -> None:
    council = scripted(except_for("seat1", lambda *_: AuthenticationFailed()), spare=True)

    run = play(council.ask()).run

    opinion = step(run, "opinion:agent_1")
    assert (opinion.text, opinion.substituted, opinion.model_name) == ("The answer of spare.", True, "fake:name=spare")
    assert "substituted" in run.marks
    assert [call.substituted for call in ModelCall.objects.filter(step=opinion)] == [False, True]


def test_a_step_is_tried_four_times_in_all_and_the_fallback_model_has_the_last_try(scripted: Stage) -> None:
    run = play(scripted(except_for("seat1", lambda *_: ProviderUnavailable()), spare=True).ask()).run

    assert statuses(run, "opinion:agent_1") == [*[CallStatus.REFUSED] * 3, CallStatus.DONE]
    assert step(run, "opinion:agent_1").substituted


def test_a_fallback_model_is_tried_again_with_what_its_predecessor_left(scripted: Stage) -> None:
    def answer(request: CompletionRequest, call: int) -> Answer:
        if name_of(request) == "seat1":
            return AuthenticationFailed()
        return ProviderUnavailable() if name_of(request) == "spare" and call < 2 else by_seat(request, call)

    run = play(scripted(answer, spare=True).ask()).run

    assert statuses(run, "opinion:agent_1") == [*[CallStatus.REFUSED] * 3, CallStatus.DONE]


def test_a_model_that_cannot_keep_to_a_schema_is_asked_for_less_and_remembered(scripted: Stage) -> None:
    def unstructured(request: CompletionRequest, call: int) -> Answer:
        return StructureUnsupported() if request.structured is StructuredMode.JSON_SCHEMA else by_seat(request, call)

    council = scripted(except_for("seat1", unstructured))

    first, second = play(council.ask()).run, play(council.ask()).run

    modes = [list(step(run, "review:agent_1").calls.values_list("structured_mode", flat=True)) for run in (first, second)]
    assert modes == [["json_schema", "json_object"], ["json_object"]]
    assert ModelInfo.objects.get(name="fake:name=seat1").structured_mode == StructuredMode.JSON_OBJECT
    assert step(first, "review:agent_1").status == StepStatus.DONE


def test_a_ballot_that_cannot_be_read_is_asked_for_once_more(scripted: Stage) -> None:
    def vague(request: CompletionRequest, call: int) -> Answer:
        return "They are all fine." if call == 1 else by_seat(request, call)

    council = scripted(except_for("seat1", vague))
    run = play(council.ask()).run

    review = step(run, "review:agent_1")
    assert (review.status, review.payload["ballot"]["rung"]) == (StepStatus.DONE, "repair_call")
    assert statuses(run, "review:agent_1") == [CallStatus.DONE, CallStatus.DONE]
    assert audit_scripted(run, council.provider).problems == []


def test_a_reviewer_that_never_votes_is_not_counted(scripted: Stage) -> None:
    council = scripted(except_for("seat1", lambda request, call: by_seat(request, call) if call == 0 else "They are all fine."))

    run = play(council.ask()).run

    assert step(run, "review:agent_1").status == StepStatus.INVALID
    assert len(statuses(run, "review:agent_1")) == 2
    assert "2 of 3 ballots" in run.reason


def test_the_next_chairman_writes_when_the_first_cannot(scripted: Stage) -> None:
    run = play(scripted(except_for("chair", lambda *_: AuthenticationFailed())).ask()).run

    assert (run.status, run.answer, run.answer_by) == (RunStatus.SUCCEEDED, "The answer of chair2.", "chairman")


def test_without_a_chairman_the_first_choice_stands_word_for_word(scripted: Stage) -> None:
    def no_chairman(request: CompletionRequest, call: int) -> Answer:
        return AuthenticationFailed() if name_of(request).startswith("chair") else by_seat(request, call)

    run = play(scripted(no_chairman).ask()).run

    assert (run.status, "verbatim" in run.marks) == (RunStatus.PARTIAL, True)
    assert run.answer == step(run, f"opinion:{run.answer_by}").text


def test_a_straggler_is_not_waited_for_and_what_it_brings_is_kept_apart(scripted: Stage) -> None:
    others_went_on = asyncio.Event()

    def slow(request: CompletionRequest, call: int) -> Answer:
        return Reply(text="At last.", after=others_went_on)

    def chairman_slower(request: CompletionRequest, call: int) -> Answer:
        if name_of(request) == "chair":
            others_went_on.set()
            return Reply(text="The result.", delay_s=1.0)
        return except_for("seat4", slow)(request, call)

    run = play(scripted(chairman_slower, seats=4, quorum=3, soft_deadline_s=0).ask()).run

    late = step(run, "opinion:agent_4")
    assert (late.status, late.text) == (StepStatus.LATE_DONE, "At last.")
    assert (run.status, "degraded" in run.marks) == (RunStatus.SUCCEEDED, True)
    assert not run.steps.filter(key="review:agent_4").exists()


def test_a_straggler_that_fails_is_not_tried_again_and_harms_nobody(scripted: Stage) -> None:
    others_went_on = asyncio.Event()

    def slow_and_broken(request: CompletionRequest, call: int) -> Answer:
        return Reply(text="At l", after=others_went_on, error=BrokenStream("It broke off."))

    def chairman_slower(request: CompletionRequest, call: int) -> Answer:
        if name_of(request) == "chair":
            others_went_on.set()
            return Reply(text="The result.", delay_s=1.0)
        return except_for("seat4", slow_and_broken)(request, call)

    story = play(scripted(chairman_slower, seats=4, quorum=3, soft_deadline_s=0).ask())

    assert (story.run.status, story.lives) == (RunStatus.SUCCEEDED, 1)
    assert len(statuses(story.run, "opinion:agent_4")) == 1


def test_when_all_seats_fail_the_run_says_why_for_each(scripted: Stage) -> None:
    run = play(scripted(lambda *_: AuthenticationFailed("Invalid key.")).ask()).run

    assert run.status == RunStatus.FAILED
    assert all(f"Seat {number} (provider did not accept our key)" in run.reason for number in (1, 2, 3))
    assert [row.error_kind for row in run.steps.all()] == ["authentication_failed"] * 3


def test_too_few_answers_for_the_quorum_is_a_failure(scripted: Stage) -> None:
    run = play(scripted(except_for("seat1", lambda *_: AuthenticationFailed()), quorum=3).ask()).run

    assert run.status == RunStatus.FAILED
    assert "Only 2 of the 3 answers" in run.reason


def test_the_deadline_of_a_run_ends_it_with_what_is_there(scripted: Stage) -> None:
    def slow_chairman(request: CompletionRequest, call: int) -> Answer:
        return Reply(text="Never.", delay_s=60) if name_of(request) == "chair" else by_seat(request, call)

    council = scripted(slow_chairman, run_deadline_s=2)
    run = play(council.ask()).run

    assert (run.status, sorted(run.marks)) == (RunStatus.PARTIAL, ["deadline", "verbatim"])
    assert statuses(run, "synthesis") == [CallStatus.CANCELLED]
    assert [request.model for request in council.provider.aborted] == ["fake:name=chair"]


def test_a_step_past_the_deadline_of_its_stage_has_failed(scripted: Stage) -> None:
    council = scripted(except_for("seat1", lambda *_: Reply(text="Never.", delay_s=60)), stage_deadline_s=1, soft_deadline_s=30)

    run = play(council.ask()).run

    assert (step(run, "opinion:agent_1").status, step(run, "opinion:agent_1").error_kind) == (StepStatus.FAILED, "timeout")
    assert statuses(run, "opinion:agent_1") == [CallStatus.CANCELLED]


def test_a_filtered_answer_is_no_answer_and_is_paid(scripted: Stage) -> None:
    filtered = Reply(text="I had begun", finish_reason=FinishReason.FILTERED)
    run = play(scripted(except_for("seat1", lambda *_: filtered)).ask()).run

    call = step(run, "opinion:agent_1").calls.get()
    assert (call.error_kind, call.finish_reason) == ("content_filtered", "content_filter")
    assert call.cost_usd
    assert step(run, "opinion:agent_1").status == StepStatus.FAILED


def test_a_failure_after_some_text_is_charged_by_estimate(scripted: Stage) -> None:
    broken = Reply(text="Half an answer", error=BrokenStream())
    run = play(scripted(except_for("seat1", lambda request, call: broken if call == 0 else by_seat(request, call))).ask()).run

    first = step(run, "opinion:agent_1").calls.order_by("attempt")[0]
    assert (first.status, first.usage_source) == (CallStatus.BROKEN, "estimated")
    assert first.cost_usd


def test_characters_that_no_database_takes_do_not_get_into_one(scripted: Stage) -> None:
    def hostile(request: CompletionRequest, call: int) -> Answer:
        if request.schema is None:
            return Reply(text="Bl\x00ue.")
        # JSON's own escapes: only reading the ballot brings these characters to light.
        return ballot_for(request).replace("Clear.", r"Cl\u0000ea\ud800r.")

    story = play(scripted(except_for("seat1", hostile)).ask())

    assert (story.run.status, story.lives) == (RunStatus.SUCCEEDED, 1)
    assert step(story.run, "opinion:agent_1").text == "Blue."
    verdicts = step(story.run, "review:agent_1").payload["ballot"]["verdicts"]
    assert {verdict["reasoning"] for verdict in verdicts} == {"Clear."}


def test_a_run_outlives_its_council_its_model_and_its_provider(scripted: Stage) -> None:
    council = scripted()
    run = council.ask()
    CouncilConfiguration.objects.all().delete()
    Provider.objects.all().delete()

    story = play(run)

    run.refresh_from_db()
    assert (story.run.status, run.council) == (RunStatus.SUCCEEDED, None)
    assert set(ModelCall.objects.filter(run=run).values_list("model", flat=True)) == {None}
    assert audit_scripted(run, council.provider).problems == []
