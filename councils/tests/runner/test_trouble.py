"""What fails every second does not fill the log."""

import logging

import pytest

from councils.runner.trouble import REMIND_S, Trouble

NAME = "councils.tests.trouble"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trouble(clock: Clock) -> Trouble:
    return Trouble(logging.getLogger(NAME), clock)


def fail_for(seconds: int, trouble: Trouble, clock: Clock, fault: Exception) -> None:
    """Fail once a second."""
    for _ in range(seconds):
        clock.now += 1
        trouble.met("the look failed", fault)


def test_the_first_time_is_told_in_full_and_then_a_line_a_minute(trouble: Trouble, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    fail_for(1 + 2 * int(REMIND_S), trouble, clock, ValueError("no table"))

    assert [record.getMessage() for record in caplog.records] == [
        "the look failed: no table",
        "the look failed, 60 times more: no table",
        "the look failed, 60 times more: no table",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False]


def test_another_kind_of_fault_and_one_after_a_success_are_told_in_full(
    trouble: Trouble, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fail_for(5, trouble, clock, ValueError("no table"))
    fail_for(5, trouble, clock, KeyError("worker"))
    fail_for(5, trouble, clock, ValueError("no table"))
    trouble.over()
    fail_for(5, trouble, clock, ValueError("no table"))

    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError, KeyError, ValueError]
    assert len(caplog.records) == 3


def test_what_others_have_told_in_full_is_told_in_one_line(trouble: Trouble, caplog: pytest.LogCaptureFixture) -> None:
    trouble.met("the database is away", ValueError("refused"), in_full=False)

    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]
