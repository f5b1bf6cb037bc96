"""A later try asks only for what it did not keep, whatever dies at whichever of its writes."""

from collections.abc import Callable

import pytest

from councils.engine.errors import BadRequest
from councils.engine.types import CompletionRequest, RunStatus, StepStatus
from councils.models import CouncilRun, ModelCall
from councils.providers.scripted import Answer, Reply
from councils.services.asking import ask_council
from councils.services.repeating import regenerate_answer, retry_run
from councils.tests.runner.lives import Fault, How, audit_scripted, play
from councils.tests.runner.scripts import Scripted, by_seat, is_review, name_of

Stage = Callable[..., Scripted]


class Mood:
    """A script in which some fail until they are mended: ``seat2`` at its opinion, ``ballot3`` at its ballot, ``chair`` at the end."""

    def __init__(self, *broken: str) -> None:
        self.broken = set(broken)

    def __call__(self, request: CompletionRequest, call: int) -> Answer:
        name = name_of(request)
        failing = name.replace("seat", "ballot") if is_review(request) else name
        return BadRequest("as ordered") if failing in self.broken else by_seat(request, call)


def first_try(scripted: Stage, *broken: str, seats: int = 4) -> tuple[Scripted, CouncilRun]:
    """A run in which these failed, after which all are mended."""
    mood = Mood(*broken)
    council = scripted(mood, seats=seats)
    run = play(council.ask()).run
    mood.broken.clear()
    council.provider.requests.clear()
    return council, run


def called(run: CouncilRun) -> list[str]:
    return sorted(ModelCall.objects.filter(run=run).values_list("step__key", flat=True))


REVIEWS = [f"review:agent_{n}" for n in (1, 2, 3, 4)]
TRIES = [
    (("seat2",), ["opinion:agent_2", *REVIEWS, "synthesis"]),
    (("seat1", "seat4"), ["opinion:agent_1", "opinion:agent_4", *REVIEWS, "synthesis"]),
    (("ballot3",), ["review:agent_3", "synthesis"]),
    (("chair", "chair2"), ["synthesis"]),
    (("seat1", "seat2", "seat3"), ["opinion:agent_1", "opinion:agent_2", "opinion:agent_3", *REVIEWS, "synthesis"]),
]


@pytest.mark.parametrize(("broken", "asked"), TRIES)
def test_a_retry_calls_only_for_what_is_missing_and_costs_only_that(scripted: Stage, broken: tuple[str, ...], asked: list[str]) -> None:
    council, run = first_try(scripted, *broken)
    before = CouncilRun.objects.values("known_cost_usd", "status", "answer").get(pk=run.pk)

    newer = play(retry_run(by=run.owner, run=run)[0]).run

    assert (newer.status, newer.marks) == (RunStatus.SUCCEEDED, [])
    assert called(newer) == asked
    assert len(council.provider.requests) == len(asked)
    assert newer.known_cost_usd == sum(call.cost_usd or 0 for call in ModelCall.objects.filter(run=newer))
    assert audit_scripted(newer, council.provider).problems == []
    assert CouncilRun.objects.values("known_cost_usd", "status", "answer").get(pk=run.pk) == before


def test_a_seat_that_is_as_slow_as_before_answers_in_the_next_try(scripted: Stage) -> None:
    def slow(request: CompletionRequest, call: int) -> Answer:
        if name_of(request) == "chair":
            # The slow seat still writes when the council has ended.
            return "The result."
        usual = by_seat(request, call)
        # Longer than any council takes the first time; the second time all wait for it.
        return Reply(text=str(usual), delay_s=0.5 if call else 60) if name_of(request) == "seat4" else usual

    run = play(scripted(slow, seats=4, quorum=3, soft_deadline_s=0).ask()).run
    newer = play(retry_run(by=run.owner, run=run)[0]).run

    assert run.steps.get(key="opinion:agent_4").status != StepStatus.DONE
    assert (newer.status, newer.marks) == (RunStatus.SUCCEEDED, [])
    assert called(newer) == ["opinion:agent_4", *REVIEWS, "synthesis"]
    assert not newer.steps.exclude(status=StepStatus.DONE).exists()


def test_the_same_answers_are_shown_to_reviewers_under_the_same_labels(scripted: Stage) -> None:
    _, run = first_try(scripted, "ballot3")

    newer = play(retry_run(by=run.owner, run=run)[0]).run

    kept, asked = newer.steps.get(key="review:agent_1"), newer.steps.get(key="review:agent_3")
    assert set(asked.payload["labels"].values()) == {"agent_1", "agent_2", "agent_4"}
    assert kept.payload == run.steps.get(key="review:agent_1").payload
    tally = newer.steps.get(key="tally")
    assert (tally.payload["counted"], tally.payload["cast"], tally.carried) == (4, 4, False)


def test_another_wording_is_one_call_to_the_chairman_and_both_answers_are_kept(scripted: Stage) -> None:
    council, run = first_try(scripted)

    newer = play(regenerate_answer(by=run.owner, run=run)[0]).run

    assert called(newer) == ["synthesis"]
    assert [name_of(request) for request in council.provider.requests] == ["chair"]
    assert [message.run for message in run.conversation.messages.filter(role="assistant")] == [run, newer]


def test_one_member_answers_alone_with_the_conversation_before_it(scripted: Stage) -> None:
    council, run = first_try(scripted)
    alone, _ = ask_council(by=run.owner, council=council.council, question="And you?", conversation=run.conversation, member="agent_2")

    story = play(alone)

    (request,) = council.provider.requests
    assert name_of(request) == "seat2"
    assert [message.content for message in request.messages][-3:-1] == ["Which is best?", run.answer]
    assert (story.run.status, story.run.answer, story.run.answer_by) == (RunStatus.SUCCEEDED, "The answer of seat2.", "agent_2")
    assert (story.run.marks, story.run.member_name) == ([], "Seat 2")
    assert audit_scripted(story.run, council.provider).problems == []


@pytest.mark.parametrize(("broken", "how"), [*((("ballot3",), how) for how in How), (("seat2",), How.KILLED_AFTER)])
def test_a_later_try_survives_a_fault_at_each_of_its_writes_and_never_calls_for_what_it_kept(
    scripted: Stage, how: How, broken: tuple[str, ...]
) -> None:
    council, run = first_try(scripted, *broken)

    def later() -> CouncilRun:
        return retry_run(by=run.owner, run=run)[0]

    for point in range(len(play(later()).wrote) + 1):
        council.provider.requests.clear()
        story = play(later(), Fault(point, how))
        where = f"{how.name} at write {point} ({story.struck}), {story.lives} lives: {story.run.reason}"
        assert story.run.status == RunStatus.SUCCEEDED, where
        assert audit_scripted(story.run, council.provider).problems == [], where
        kept = set(story.run.steps.filter(carried=True).values_list("key", flat=True))
        assert kept, where
        assert not kept & set(called(story.run)), where


def test_a_retry_that_fails_again_can_be_retried_and_still_keeps_what_is_there(scripted: Stage) -> None:
    mood = Mood("seat1", "seat2", "seat3")
    council = scripted(mood, seats=4)
    first = play(council.ask()).run
    mood.broken = {"seat3"}
    second = play(retry_run(by=first.owner, run=first)[0]).run
    mood.broken = set()
    council.provider.requests.clear()

    third = play(retry_run(by=second.owner, run=second)[0]).run

    assert (first.status, second.status, third.status) == (RunStatus.PARTIAL, RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)
    assert called(third) == ["opinion:agent_3", *REVIEWS, "synthesis"]
    assert set(third.steps.filter(carried=True).values_list("carried_from__run", flat=True)) == {first.pk, second.pk}
    assert not third.steps.exclude(status=StepStatus.DONE).exists()
