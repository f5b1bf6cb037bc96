"""Prompts that are put together again: they are called what was sent only where that is proven."""

from collections.abc import Callable

import pytest

from councils.engine.digest import messages_digest
from councils.engine.types import ChatMessage, CompletionRequest
from councils.models import CouncilRun, ModelCall, RunStep
from councils.providers.scripted import Answer
from councils.services.sent import prompt_of
from councils.tests.runner.lives import play
from councils.tests.runner.scripts import Scripted, by_seat, except_for, is_review

Stage = Callable[..., Scripted]

pytestmark = pytest.mark.django_db(transaction=True)


def loaded(run: CouncilRun) -> CouncilRun:
    return CouncilRun.objects.with_details().get(pk=run.pk)


def test_the_prompt_of_every_step_is_word_for_word_what_its_provider_received(scripted: Stage) -> None:
    council = scripted()

    run = loaded(play(council.ask()).run)

    received = {request.call_id: tuple(request.messages) for request in council.provider.requests}
    calls = list(ModelCall.objects.filter(run=run).select_related("step"))
    assert len(calls) == 7
    for call in calls:
        prompt = prompt_of(run, call.step.key)
        assert prompt is not None
        assert tuple(prompt.messages) == received[call.public_id]
        assert prompt.was_sent_by(call)


def test_a_call_that_asked_for_a_correction_has_sent_something_else(scripted: Stage) -> None:
    def mumbling_once(request: CompletionRequest, call: int) -> Answer:
        return "I like them all." if is_review(request) and call == 1 else by_seat(request, call)

    council = scripted(except_for("seat2", mumbling_once))
    run = loaded(play(council.ask()).run)

    prompt = prompt_of(run, "review:agent_2")
    assert prompt is not None
    calls = list(ModelCall.objects.filter(run=run, step__key="review:agent_2").order_by("attempt"))
    assert [prompt.was_sent_by(call) for call in calls] == [True, False]


def test_what_was_changed_since_is_not_called_what_was_sent(scripted: Stage) -> None:
    run = play(scripted().ask()).run
    RunStep.objects.filter(run=run, key="opinion:agent_1").update(text="Something else.")

    run = loaded(run)
    prompt = prompt_of(run, "review:agent_2")

    assert prompt is not None
    assert not prompt.was_sent_by(ModelCall.objects.get(run=run, step__key="review:agent_2"))


def test_without_a_fingerprint_nothing_is_proven(scripted: Stage) -> None:
    run = loaded(play(scripted().ask()).run)
    ModelCall.objects.filter(run=run).update(prompt_hash="")

    prompt = prompt_of(run, "synthesis")

    assert prompt is not None
    assert not prompt.was_sent_by(ModelCall.objects.get(run=run, step__key="synthesis"))


@pytest.mark.parametrize("key", ["tally", "nonsense", "opinion:nobody"])
def test_a_step_that_asks_nobody_has_no_prompt(scripted: Stage, key: str) -> None:
    assert prompt_of(loaded(play(scripted().ask()).run), key) is None


def test_roles_and_order_belong_to_the_fingerprint() -> None:
    one, other = ChatMessage(role="system", content="a"), ChatMessage(role="user", content="a")

    digests = {messages_digest(messages) for messages in ([one], [other], [one, other], [other, one])}

    assert len(digests) == 4
