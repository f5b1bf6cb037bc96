"""When an endpoint is left alone, and how it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.engine.errors import (
    AnswerTimeout,
    AuthenticationFailed,
    BadRequest,
    BrokenStream,
    ConnectFailed,
    EgressDenied,
    EmptyAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Refused,
)
from councils.providers.breaker import ENDPOINT, MODEL, Breaker, BreakerPolicy, BreakerState, Permit, Scope

POLICY = BreakerPolicy(failures=3, pause_s=10, longest_pause_s=60)


def permit(breaker: Breaker, now: float) -> Permit:
    given = breaker.permit(now)
    assert given is not None
    return given


def fail(breaker: Breaker, error: ProviderError, now: float) -> None:
    breaker.failed(permit(breaker, now), error, now)


def broken(at: float = 100.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(POLICY)
    for _ in range(3):
        fail(breaker, ConnectFailed(), at)
    return breaker


def test_by_default_five_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    for _ in range(4):
        fail(breaker, ConnectFailed(), 100)
    assert breaker.would_permit(100)

    fail(breaker, ConnectFailed(), 100)

    assert not breaker.would_permit(100)


@pytest.mark.parametrize(
    ("scope", "error"), [(ENDPOINT, ConnectFailed()), (MODEL, ProviderUnavailable()), (MODEL, AnswerTimeout()), (MODEL, BrokenStream())]
)
def test_what_fails_again_and_again_is_left_alone(scope: Scope, error: ProviderError) -> None:
    breaker = Breaker(POLICY, scope)
    for _ in range(2):
        fail(breaker, error, 100)
    assert breaker.would_permit(100)

    fail(breaker, error, 100)

    assert breaker.permit(109.9) is None
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("scope", [ENDPOINT, MODEL], ids=["endpoint", "model"])
@pytest.mark.parametrize("error", [RateLimited(), BadRequest(), EmptyAnswer(), Refused(), AuthenticationFailed()])
def test_what_answers_no_is_alive(scope: Scope, error: ProviderError) -> None:
    breaker, fault = Breaker(POLICY, scope), scope.counts[0]()
    for failure in (fault, fault, error, fault, fault):
        fail(breaker, failure, 100)

    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("error", [ProviderUnavailable(), BrokenStream()])
def test_an_endpoint_at_which_a_model_fails_is_alive(error: ProviderError) -> None:
    breaker = Breaker(POLICY, ENDPOINT)
    for failure in (ConnectFailed(), ConnectFailed(), error, ConnectFailed(), ConnectFailed()):
        fail(breaker, failure, 100)

    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("scope", "error"),
    [(ENDPOINT, EgressDenied()), (MODEL, EgressDenied()), (ENDPOINT, AnswerTimeout()), (MODEL, ConnectFailed())],
    ids=["forbidden by ourselves", "forbidden by ourselves, a model", "nothing came", "never reached"],
)
def test_a_call_that_tells_nothing_is_not_counted_in_either_way(scope: Scope, error: ProviderError) -> None:
    breaker, fault = Breaker(POLICY, scope), scope.counts[0]()
    for failure in (fault, error, fault, error, fault):
        fail(breaker, failure, 100)

    assert breaker.state is BreakerState.OPEN


def test_only_failures_in_a_row_count() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        fail(breaker, ConnectFailed(), 100)
        fail(breaker, ConnectFailed(), 100)
        breaker.succeeded(permit(breaker, 100))

    assert breaker.would_permit(100)


def test_after_the_pause_exactly_one_call_tries() -> None:
    breaker = broken()

    assert [breaker.permit(110) is not None for _ in range(3)] == [True, False, False]
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_try_that_succeeds_opens_the_way_for_all() -> None:
    breaker = broken()
    breaker.succeeded(permit(breaker, 110))

    assert all(breaker.permit(110) for _ in range(3))
    assert breaker.state is BreakerState.CLOSED


def test_each_try_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now, pauses = broken(at=0), 0.0, []
    for _ in range(5):
        pauses.append(breaker.pause_s)
        now += breaker.pause_s
        assert breaker.permit(now - 0.01) is None
        fail(breaker, ConnectFailed(), now)

    assert pauses == [10, 20, 40, 60, 60]


def test_after_a_success_the_pause_is_short_again() -> None:
    breaker = broken(at=0)
    fail(breaker, ConnectFailed(), 10)
    breaker.succeeded(permit(breaker, 30))
    for _ in range(3):
        fail(breaker, ConnectFailed(), 40)

    assert breaker.would_permit(50)


def test_a_try_that_was_given_up_lets_another_one_try() -> None:
    breaker = broken()
    breaker.abandoned(permit(breaker, 110))

    assert breaker.would_permit(111)


def test_a_late_failure_of_an_earlier_call_does_not_prolong_the_pause() -> None:
    breaker = Breaker(POLICY)
    early = permit(breaker, 90)
    for _ in range(3):
        fail(breaker, ConnectFailed(), 100)
    breaker.failed(early, ConnectFailed(), 109)

    assert breaker.would_permit(110)


def test_a_late_outcome_of_an_earlier_call_is_not_taken_for_that_of_the_one_that_tries() -> None:
    breaker = Breaker(POLICY)
    failing, given_up = permit(breaker, 90), permit(breaker, 90)
    for _ in range(3):
        fail(breaker, ConnectFailed(), 100)
    permit(breaker, 110)

    breaker.failed(failing, ConnectFailed(), 111)
    breaker.abandoned(given_up)

    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.permit(112) is None


def test_a_late_success_of_an_earlier_call_is_good_news() -> None:
    breaker = Breaker(POLICY)
    early = permit(breaker, 90)
    for _ in range(3):
        fail(breaker, ConnectFailed(), 100)
    breaker.succeeded(early)

    assert breaker.would_permit(101)


OUTCOMES = st.sampled_from(["success", "failure", "refusal", "abandoned"])


@given(st.lists(st.tuples(OUTCOMES, st.floats(0, 30), st.integers(0, 9)), max_size=80))
def test_whatever_happens_at_most_one_call_tries_and_the_way_is_never_barred_for_longer_than_the_longest_pause(
    story: list[tuple[str, float, int]],
) -> None:
    breaker, now, open_calls = Breaker(POLICY), 0.0, list[Permit]()
    for outcome, passed, which in story:
        now += passed
        if (granted := breaker.permit(now)) is not None:
            open_calls.append(granted)
        if breaker.state is BreakerState.HALF_OPEN:
            assert breaker.permit(now + 1_000_000) is None
        if open_calls:
            call = open_calls.pop(which % len(open_calls))
            match outcome:
                case "success":
                    breaker.succeeded(call)
                case "failure":
                    breaker.failed(call, ConnectFailed(), now)
                case "refusal":
                    breaker.failed(call, RateLimited(), now)
                case _:
                    breaker.abandoned(call)
    for call in open_calls:
        breaker.abandoned(call)

    assert breaker.would_permit(now + POLICY.longest_pause_s)
