import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from councils.providers.retry import JITTER_SHARE, RetryBudget, RetryPolicy, delay_before

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


def tried(errors: list[ProviderError], *, models: int, policy: RetryPolicy = POLICY) -> list[int]:
    """Which model is asked at each try, while they fail in this order."""
    budget, asked, current = RetryBudget(policy, models=models), list[int](), 0
    for error in errors:
        asked.append(current)
        budget.spend()
        if budget.delay(error, models_left=models - 1 - current, jitter=0.0) is None:
            if current + 1 == models:
                break
            current += 1
            budget.next_model()
    return asked


def test_a_step_has_four_tries_in_all_and_the_fallback_keeps_the_last() -> None:
    assert tried([BrokenStream()] * 9, models=1) == [0, 0, 0, 0]
    assert tried([BrokenStream()] * 9, models=2) == [0, 0, 0, 1]
    assert tried([BrokenStream()] * 9, models=3) == [0, 0, 1, 2]


def test_what_a_hopeless_model_leaves_is_for_its_fallback() -> None:
    assert tried([AuthenticationFailed(), *[BrokenStream()] * 9], models=2) == [0, 1, 1, 1]


def test_of_more_models_than_tries_each_is_asked_once() -> None:
    assert tried([BrokenStream()] * 9, models=6) == [0, 1, 2, 3, 4, 5]
    assert tried([BrokenStream()] * 9, models=2, policy=RetryPolicy(max_retries=0)) == [0, 1]


def test_a_fallback_begins_with_the_short_delay() -> None:
    budget = RetryBudget(POLICY, models=2)
    for _ in range(2):
        budget.spend()
    budget.next_model()
    budget.spend()

    assert budget.delay(BrokenStream(), models_left=0, jitter=0.0) == 1.0


ERRORS = st.sampled_from(
    [
        ConnectFailed(),
        BrokenStream(),
        AuthenticationFailed(),
        EmptyAnswer(),
        RateLimited(retry_after_s=7),
        RateLimited(retry_after_s=math.inf),
    ]
)


@given(st.lists(ERRORS, min_size=40, max_size=40), st.integers(1, 8), st.integers(0, 5))
def test_whatever_fails_every_model_is_asked_and_the_tries_are_counted(errors: list[ProviderError], models: int, retries: int) -> None:
    asked = tried(errors, models=models, policy=RetryPolicy(max_retries=retries))

    assert set(asked) == set(range(models))
    assert asked == sorted(asked)
    assert len(asked) <= max(1 + retries, models)


@given(
    st.floats(0, 100),
    st.integers(0, 10),
    st.floats(0, 1, exclude_max=True),
    st.builds(RetryPolicy, max_retries=st.integers(0, 10), base_delay_s=st.floats(0, 10), max_delay_s=st.floats(0, 30)),
)
def test_a_delay_is_at_least_what_was_asked_for_and_bounded(asked: float, done: int, jitter: float, policy: RetryPolicy) -> None:
    delay = delay_before(policy, RateLimited(retry_after_s=asked), done, jitter)

    if delay is None:
        assert done >= policy.max_retries or asked > policy.max_retry_after_s
    else:
        assert asked <= delay <= max(policy.max_delay_s, asked) + policy.max_delay_s * JITTER_SHARE
