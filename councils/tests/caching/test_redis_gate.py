"""A Redis that failed is left alone for a while; then one caller tries for all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooSlow

from councils.caching import redis_gate
from councils.caching.redis_gate import REST_S, TRY_S, Gate, Resting

A_MOMENT_S = 0.25


class Caller:
    """A thread of its own that asks Redis."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._thread = ThreadPoolExecutor(1)

    def asks(self) -> bool:
        """Whether it gets through. What became of its question is not known yet."""
        return self._thread.submit(self._pass, None).result()

    def asks_in_vain(self, fault: Exception) -> bool:
        """Whether it gets through, to a Redis that fails so."""
        return self._thread.submit(self._pass, fault).result()

    def _pass(self, fault: Exception | None) -> bool:
        try:
            with self._gate.passing():
                if fault is not None:
                    raise fault
        except Resting:
            return False
        except (Unreachable, TooSlow, OSError):
            return True
        return True

    def leave(self) -> None:
        self._thread.shutdown()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(redis_gate, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate("redis:6379")


@pytest.fixture
def callers(gate: Gate) -> Iterator[tuple[Caller, Caller]]:
    both = Caller(gate), Caller(gate)
    yield both
    for caller in both:
        caller.leave()


Callers = tuple[Caller, Caller]


def test_everybody_gets_through_to_a_redis_that_works(callers: Callers) -> None:
    assert [caller.asks() for caller in callers * 2] == [True] * 4


@pytest.mark.parametrize("fault", [Unreachable("refused"), TooSlow("no answer"), OSError("reset")])
def test_after_one_failure_nobody_asks_for_a_while(callers: Callers, clock: Clock, fault: Exception) -> None:
    first, second = callers
    assert first.asks_in_vain(fault)

    assert [first.asks(), second.asks()] == [False, False]
    clock.now += REST_S - A_MOMENT_S
    assert [first.asks(), second.asks()] == [False, False]


def test_an_answer_of_redis_that_is_an_error_is_no_failure_of_it(callers: Callers, gate: Gate) -> None:
    with pytest.raises(ValueError, match="WRONGTYPE"), gate.passing():
        raise ValueError("WRONGTYPE")

    assert callers[0].asks()


def test_when_the_rest_is_over_one_caller_tries_and_the_others_do_without(callers: Callers, clock: Clock) -> None:
    first, second = callers
    first.asks_in_vain(Unreachable("refused"))
    clock.now += REST_S

    assert second.asks()
    assert not first.asks()
    # What one command needs takes several steps: connecting, sending.
    assert second.asks()


def test_a_try_that_succeeds_lets_everybody_through(callers: Callers, clock: Clock, gate: Gate) -> None:
    first, second = callers
    first.asks_in_vain(Unreachable("refused"))
    clock.now += REST_S
    second.asks()
    gate.note_success()

    assert [first.asks(), second.asks()] == [True, True]


def test_a_try_that_fails_begins_another_rest(callers: Callers, clock: Clock) -> None:
    first, second = callers
    first.asks_in_vain(Unreachable("refused"))
    clock.now += REST_S
    assert second.asks_in_vain(TooSlow("no answer"))

    clock.now += REST_S - A_MOMENT_S
    assert [first.asks(), second.asks()] == [False, False]
    clock.now += A_MOMENT_S
    assert first.asks()


def test_a_try_of_which_nothing_is_heard_does_not_hold_up_the_next(callers: Callers, clock: Clock) -> None:
    first, second = callers
    first.asks_in_vain(Unreachable("refused"))
    clock.now += REST_S
    assert first.asks(), "it tries, and hangs"

    clock.now += TRY_S - A_MOMENT_S
    assert not second.asks()
    clock.now += A_MOMENT_S
    assert second.asks()
    assert not first.asks(), "the try is the second one's now"


def test_who_was_turned_away_does_not_prolong_the_rest(callers: Callers, clock: Clock) -> None:
    first, second = callers
    first.asks_in_vain(Unreachable("refused"))
    clock.now += REST_S / 2
    assert not second.asks()

    clock.now += REST_S / 2
    assert second.asks()


def test_a_failure_and_its_end_are_told_once_each(callers: Callers, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    for caller in callers:
        caller.asks_in_vain(Unreachable("refused"))
    gate.note_success()
    gate.note_success()

    assert len(caplog.records) == 2
    assert "is left alone" in caplog.text
    assert "answers again" in caplog.text
