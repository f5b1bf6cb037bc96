import asyncio
import contextlib

import pytest

from councils.engine.errors import EmptyAnswer, ProviderUnavailable, RateLimited
from councils.engine.types import CompletionRequest, Delta, FinishReason, Usage
from councils.providers.scripted import Reply, ScriptedProvider
from councils.tests.providers.support import collect, request


async def test_a_table_answers_by_model_and_call() -> None:
    provider = ScriptedProvider({"alpha": ["first", "second"], "beta": "always"})

    answers = [(await collect(provider, request(model)))[1].text for model in ("alpha", "beta", "alpha", "alpha", "beta")]

    assert answers == ["first", "always", "second", "second", "always"]


async def test_a_function_sees_the_request_and_the_number_of_the_call() -> None:
    def answer(asked: CompletionRequest, call: int) -> str:
        return f"{asked.model} {asked.messages[0].content} {call}"

    provider = ScriptedProvider(answer)
    await collect(provider, request("alpha", "one"))

    assert (await collect(provider, request("alpha", "two")))[1].text == "alpha two 1"


async def test_an_error_in_the_script_is_raised_and_the_next_call_goes_on() -> None:
    provider = ScriptedProvider({"alpha": [RateLimited(retry_after_s=2.0), "fine"]})
    with pytest.raises(RateLimited):
        await collect(provider, request("alpha"))

    assert (await collect(provider, request("alpha")))[1].text == "fine"


async def test_an_error_may_come_after_some_text() -> None:
    stream = ScriptedProvider({"alpha": Reply(text="half", error=ProviderUnavailable())}).stream(request("alpha"))

    assert await anext(stream) == Delta(text="half")
    with pytest.raises(ProviderUnavailable):
        await anext(stream)


@pytest.mark.parametrize(("text", "pieces"), [("abcdefg", 3), ("ab", 10), ("a", 1)])
async def test_an_answer_streams_in_pieces_that_make_it_whole(text: str, pieces: int) -> None:
    deltas, completion = await collect(ScriptedProvider({"alpha": Reply(text=text, pieces=pieces)}), request("alpha"))

    assert len(deltas) == min(pieces, len(text))
    assert "".join(deltas) == completion.text == text


async def test_a_script_without_text_is_an_empty_answer() -> None:
    with pytest.raises(EmptyAnswer):
        await collect(ScriptedProvider({"alpha": Reply(delay_s=0.0)}), request("alpha"))


async def test_a_reply_says_what_it_wants_about_itself() -> None:
    usage = Usage(prompt_tokens=1, completion_tokens=2)
    reply = Reply(text="cut", finish_reason=FinishReason.LENGTH, usage=usage, model="other")

    _, completion = await collect(ScriptedProvider({"alpha": reply}), request("alpha"))

    assert (completion.finish_reason, completion.usage, completion.model) == (FinishReason.LENGTH, usage, "other")


async def test_requests_are_remembered_in_order() -> None:
    provider = ScriptedProvider({"alpha": "a", "beta": "b"})
    asked = [request("alpha"), request("beta"), request("alpha", "again")]
    for each in asked:
        await collect(provider, each)

    assert provider.requests == asked
    assert provider.calls_of("alpha") == [asked[0], asked[2]]


async def test_a_stream_that_is_closed_early_is_remembered_as_aborted() -> None:
    provider = ScriptedProvider({"alpha": Reply(text="long answer", pieces=5)})
    async with contextlib.aclosing(provider.stream(request("alpha"))) as stream:
        await anext(stream)

    assert provider.aborted == [request("alpha")]


async def test_a_cancelled_call_is_remembered_as_aborted() -> None:
    provider = ScriptedProvider({"alpha": Reply(text="late", delay_s=60)})
    task = asyncio.create_task(collect(provider, request("alpha")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert provider.aborted == [request("alpha")]


async def test_a_model_that_the_script_does_not_know_is_a_mistake_of_the_test() -> None:
    with pytest.raises(KeyError):
        await collect(ScriptedProvider({}), request("alpha"))
