import math

import pytest

from councils.engine.errors import (
    AnswerTimeout,
    AuthenticationFailed,
    BadRequest,
    BrokenStream,
    ConnectFailed,
    ContextTooLong,
    EgressDenied,
    EmptyAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Refused,
)
from councils.providers.retry import RetryPolicy, delay_before

POLICY = RetryPolicy()


@pytest.mark.parametrize("error", [ConnectFailed(), ProviderUnavailable(), AnswerTimeout(), BrokenStream(), RateLimited()])
def test_passing_trouble_is_tried_again_after_one_two_and_four_seconds(error: ProviderError) -> None:
    assert [delay_before(POLICY, error, done, 0.0) for done in range(4)] == [1.0, 2.0, 4.0, None]


@pytest.mark.parametrize("error", [AuthenticationFailed(), BadRequest(), ContextTooLong(), EmptyAnswer(), Refused(), EgressDenied()])
def test_what_would_fail_again_is_not_tried_again(error: ProviderError) -> None:
    assert delay_before(POLICY, error, 0, 0.0) is None


def test_the_delay_stops_growing_at_its_maximum() -> None:
    assert delay_before(RetryPolicy(max_retries=20), BrokenStream(), 15, 0.0) == 8.0


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("asked", [0.0, 0.2, 7.5, 60.0])
def test_no_retry_comes_before_the_provider_wants_it(asked: float, jitter: float) -> None:
    delay = delay_before(POLICY, RateLimited(retry_after_s=asked), 0, jitter)

    assert delay is not None
    assert delay >= asked


def test_an_overloaded_provider_may_ask_for_patience_as_well() -> None:
    assert delay_before(POLICY, ProviderUnavailable(retry_after_s=30.0), 0, 0.0) == 30.0


@pytest.mark.parametrize("asked", [60.1, 86_400.0, math.inf, math.nan])
def test_too_much_or_unreadable_patience_means_unavailable(asked: float) -> None:
    assert delay_before(POLICY, RateLimited(retry_after_s=asked), 0, 0.0) is None


def test_jitter_adds_at_most_a_quarter() -> None:
    assert delay_before(POLICY, BrokenStream(), 1, 1.0) == 2.5


def test_a_policy_without_retries_never_retries() -> None:
    assert delay_before(RetryPolicy(max_retries=0), BrokenStream(), 0, 0.0) is None
