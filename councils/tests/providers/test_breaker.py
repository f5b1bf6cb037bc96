import pytest

from councils.engine.errors import (
    AnswerTimeout,
    AuthenticationFailed,
    BadRequest,
    BrokenStream,
    ConnectFailed,
    EmptyAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Refused,
)
from councils.providers.breaker import Breaker, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(failures=3, open_s=30)


def broken(at: float = 100.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.failed(ConnectFailed(), at)
    return breaker


@pytest.mark.parametrize("error", [ConnectFailed(), ProviderUnavailable(), AnswerTimeout(), BrokenStream(), AuthenticationFailed()])
def test_an_endpoint_that_fails_again_and_again_is_left_alone(error: ProviderError) -> None:
    breaker = Breaker(POLICY)
    for _ in range(2):
        breaker.failed(error, 100)
    assert breaker.allows(100)

    breaker.failed(error, 100)

    assert not breaker.allows(129.9)
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("error", [RateLimited(), BadRequest(), EmptyAnswer(), Refused()])
def test_an_endpoint_that_answers_no_is_alive(error: ProviderError) -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(error, 100)

    assert breaker.state is BreakerState.CLOSED


def test_only_failures_in_a_row_count() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(ConnectFailed(), 100)
        breaker.failed(ConnectFailed(), 100)
        breaker.succeeded()

    assert breaker.allows(100)


def test_after_the_pause_exactly_one_call_tries() -> None:
    breaker = broken()

    assert [breaker.allows(130) for _ in range(3)] == [True, False, False]
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_try_that_succeeds_opens_the_way_for_all() -> None:
    breaker = broken()
    breaker.allows(130)
    breaker.succeeded()

    assert all(breaker.allows(130) for _ in range(3))
    assert breaker.state is BreakerState.CLOSED


def test_a_try_that_fails_begins_the_pause_anew() -> None:
    breaker = broken()
    breaker.allows(130)
    breaker.failed(ConnectFailed(), 140)

    assert not breaker.allows(169.9)
    assert breaker.allows(170)


def test_a_try_that_was_given_up_lets_another_one_try() -> None:
    breaker = broken()
    breaker.allows(130)
    breaker.abandoned()

    assert breaker.allows(131)


def test_a_late_failure_of_an_earlier_call_does_not_prolong_the_pause() -> None:
    breaker = broken(at=100)
    breaker.failed(ConnectFailed(), 125)

    assert breaker.allows(130)


def test_a_late_success_of_an_earlier_call_is_good_news() -> None:
    breaker = broken()
    breaker.succeeded()

    assert breaker.allows(101)
