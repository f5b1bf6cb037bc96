"""Every fault that the fake provider knows, in every dialect, over a real socket: each ends in the stated way."""

from collections.abc import Callable

import pytest

from benchmarks.fake.behaviour import FAULTS
from benchmarks.fake.server import Running
from councils.engine.errors import (
    AnswerTimeout,
    AuthenticationFailed,
    BadRequest,
    BrokenStream,
    ConnectFailed,
    ContextTooLong,
    EmptyAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Refused,
    StructureUnsupported,
)
from councils.engine.types import CompletionRequest, Delta, FinishReason, StructuredMode, UsageSource
from councils.providers.endpoint import EndpointKind
from councils.providers.retry import RetryPolicy, delay_before
from councils.providers.streaming import HttpProvider
from councils.tests.providers.support import HASTY, KEY, PATIENT, SCHEMA, collect, logged, request

pytestmark = pytest.mark.parametrize("kind", list(EndpointKind))
ProviderMaker = Callable[[EndpointKind], HttpProvider]

FAILURES: dict[str, type[ProviderError]] = {
    "400": BadRequest,
    "401": AuthenticationFailed,
    "402": AuthenticationFailed,
    "403": AuthenticationFailed,
    "404": BadRequest,
    "413": ContextTooLong,
    "422": BadRequest,
    "429": RateLimited,
    "429_bare": RateLimited,
    "429_date": RateLimited,
    "429_garbage": RateLimited,
    "429_huge": RateLimited,
    "500": ProviderUnavailable,
    "502": ProviderUnavailable,
    "503": ProviderUnavailable,
    "529": ProviderUnavailable,
    "context": ContextTooLong,
    "structure": StructureUnsupported,
    "redirect": BadRequest,
    "echo_key": AuthenticationFailed,
    "reset": ConnectFailed,
    "no_http": ConnectFailed,
    "hang": AnswerTimeout,
    "hang_headers": AnswerTimeout,
    "drip": AnswerTimeout,
    "comments": AnswerTimeout,
    "reset_mid": BrokenStream,
    "cut": BrokenStream,
    "eof": BrokenStream,
    "malformed_flood": BrokenStream,
    "error_event": ProviderUnavailable,
    "gzip_bomb": BrokenStream,
    "empty": EmptyAnswer,
}
COMPLETIONS = {
    "oversize": FinishReason.SIZE,
    "malformed": FinishReason.STOP,
    "no_choices": FinishReason.STOP,
    "null_content": FinishReason.STOP,
    "other_model": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "json": FinishReason.STOP,
    "echo_key_text": FinishReason.STOP,
    "reasoning": FinishReason.STOP,
    "no_done": FinishReason.STOP,
}
WAITING = {"hang", "hang_headers", "drip", "comments"}


async def failure(provider: HttpProvider, fault: str) -> tuple[ProviderError, str]:
    """The error of a call with this fault, and the text that came before."""
    asked = request(
        f"fake:fault={fault}",
        schema=SCHEMA,
        structured=StructuredMode.JSON_SCHEMA,
        deadlines=HASTY if fault in WAITING else PATIENT,
    )
    text: list[str] = []
    with pytest.raises(ProviderError) as caught:
        await listen(provider, asked, text)
    return caught.value, "".join(text)


async def listen(provider: HttpProvider, asked: CompletionRequest, text: list[str]) -> None:
    """Collect the deltas of a call that must not complete."""
    async for part in provider.stream(asked):
        assert isinstance(part, Delta)
        text.append(part.text)


def test_no_fault_is_left_out_of_these_tests(kind: EndpointKind) -> None:
    assert set(FAILURES) | set(COMPLETIONS) | {"refusal", "filter"} == FAULTS


@pytest.mark.parametrize("fault", FAILURES)
async def test_a_fault_ends_in_the_error_that_says_what_to_do(fault: str, kind: EndpointKind, over_socket: ProviderMaker) -> None:
    error, _ = await failure(over_socket(kind), fault)

    assert type(error) is FAILURES[fault]
    assert KEY not in f"{error} {error.detail}"
    assert error.detail.isprintable()


@pytest.mark.parametrize("fault", COMPLETIONS)
async def test_an_odd_answer_is_data_and_no_crash(fault: str, kind: EndpointKind, over_socket: ProviderMaker) -> None:
    deltas, completion = await collect(over_socket(kind), request(f"fake:fault={fault}"))

    assert completion.finish_reason is COMPLETIONS[fault]
    assert completion.text == "".join(deltas)
    assert completion.text


@pytest.mark.parametrize("fault", ["reset_mid", "cut", "eof", "error_event", "malformed_flood", "comments", "drip"])
async def test_the_text_before_a_failure_stays_with_the_caller(fault: str, kind: EndpointKind, over_socket: ProviderMaker) -> None:
    _, text = await failure(over_socket(kind), fault)

    assert text


@pytest.mark.parametrize(
    ("fault", "limit"), [("hang", "first_token"), ("hang_headers", "first_token"), ("drip", "idle"), ("comments", "idle")]
)
async def test_a_timeout_says_which_limit_it_was(fault: str, limit: str, kind: EndpointKind, over_socket: ProviderMaker) -> None:
    error, _ = await failure(over_socket(kind), fault)

    assert error.detail.startswith(limit)


async def test_text_that_comes_too_slowly_ends_at_the_total_limit(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    with pytest.raises(AnswerTimeout) as caught:
        await collect(over_socket(kind), request("fake:tokens=500,rate=20", deadlines=HASTY))

    assert caught.value.detail.startswith("total")


@pytest.mark.parametrize(("fault", "low", "high"), [("429", 1, 1), ("429_date", 0, 1), ("429_huge", 86_400, 86_400)])
async def test_the_wait_that_a_provider_asks_for_is_known(
    fault: str, low: float, high: float, kind: EndpointKind, over_socket: ProviderMaker
) -> None:
    error, _ = await failure(over_socket(kind), fault)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s is not None
    assert low <= error.retry_after_s <= high


@pytest.mark.parametrize("fault", ["429_garbage", "429_huge"])
async def test_an_unreasonable_wait_is_not_waited_for(fault: str, kind: EndpointKind, over_socket: ProviderMaker) -> None:
    error, _ = await failure(over_socket(kind), fault)

    assert delay_before(RetryPolicy(), error, 0, 0.0) is None


async def test_a_filtered_answer_is_told_from_a_refused_one_where_the_dialect_can(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    call = collect(over_socket(kind), request("fake:fault=filter"))
    if kind is EndpointKind.ANTHROPIC:
        with pytest.raises(Refused):
            await call
    else:
        _, completion = await call
        assert completion.finish_reason is FinishReason.FILTERED


async def test_a_refusal_is_no_answer_and_still_tells_what_it_cost(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    with pytest.raises(Refused) as caught:
        await collect(over_socket(kind), request("fake:fault=refusal"))

    assert caught.value.usage is not None
    assert caught.value.usage.source is UsageSource.REPORTED


@pytest.mark.parametrize("usage", ["missing", "null", "negative", "string", "absurd", "bool"])
async def test_usage_that_cannot_be_true_is_estimated_and_marked(usage: str, kind: EndpointKind, over_socket: ProviderMaker) -> None:
    _, completion = await collect(over_socket(kind), request(f"fake:usage={usage}"))

    assert completion.usage.source is UsageSource.ESTIMATED
    assert completion.usage.prompt_tokens == 8
    assert completion.usage.completion_tokens == -(-len(completion.text) // 4)


async def test_plausible_usage_is_reported_as_it_came(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    _, completion = await collect(over_socket(kind), request("fake:tokens=12"))

    assert (completion.usage.completion_tokens, completion.usage.source) == (12, UsageSource.REPORTED)


async def test_an_oversize_answer_is_cut_at_the_cap_and_its_connection_closed(
    kind: EndpointKind, over_socket: ProviderMaker, fake: Running
) -> None:
    model = f"fake:fault=oversize,name={kind}-cap"
    _, completion = await collect(over_socket(kind), request(model, max_chars=12_345))

    assert len(completion.text) == 12_345
    assert completion.usage.source is UsageSource.ESTIMATED
    assert (await logged(fake, model)).outcome == "aborted"


async def test_the_model_that_answered_is_named_as_the_provider_says(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    _, completion = await collect(over_socket(kind), request("fake:fault=other_model"))

    assert completion.model == "another-model-than-asked"


async def test_a_key_in_the_answer_is_masked_in_every_delta(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    model = "fake:fault=echo_key_text,tokens=12,rate=100"
    deltas, completion = await collect(over_socket(kind), request(model))

    assert completion.text == "Your key is [secret] is it not"
    assert not any(KEY[:12] in delta for delta in deltas)


async def test_hidden_reasoning_is_no_text(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    _, completion = await collect(over_socket(kind), request("fake:fault=reasoning"))

    assert "think" not in completion.text


async def test_a_fault_that_passes_gives_the_answer_on_the_next_try(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    provider, model = over_socket(kind), f"fake:fault=503,fail_first=2,name={kind}"
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await collect(provider, request(model))

    _, completion = await collect(provider, request(model))

    assert completion.text
