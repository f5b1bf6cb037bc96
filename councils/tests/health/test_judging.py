"""What answers say about addresses and models."""

import pytest

from councils.health.judging import NEVER_LISTED, NOT_FREE, NOT_LISTED, PART_AWAY, SLOW_MS, Answered, judge_address, judge_model
from councils.models import HealthState

DOWN = Answered(base_url="http://a", problem="Refused.")


def lists(*names: str, latency_ms: int = 10) -> Answered:
    return Answered(base_url="http://a", models=frozenset(names), latency_ms=latency_ms)


NO_LIST = Answered(base_url="http://a", latency_ms=10)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (lists("m"), HealthState.HEALTHY),
        (lists(), HealthState.HEALTHY),
        (lists("m", latency_ms=SLOW_MS), HealthState.HEALTHY),
        (lists("m", latency_ms=SLOW_MS + 1), HealthState.SLOW),
        (NO_LIST, HealthState.HEALTHY),
        (DOWN, HealthState.FAILING),
    ],
)
def test_an_address(answer: Answered, state: HealthState) -> None:
    assert judge_address(answer).state is state


@pytest.mark.parametrize(
    ("answers", "was_listed", "state", "problem"),
    [
        ([lists("m", "n")], False, HealthState.HEALTHY, ""),
        ([lists("n"), lists("m")], False, HealthState.HEALTHY, ""),
        ([DOWN, lists("m")], True, HealthState.HEALTHY, ""),
        ([lists("m", latency_ms=9000), lists("m", latency_ms=5)], True, HealthState.HEALTHY, ""),
        ([lists("m", latency_ms=9000)], True, HealthState.SLOW, ""),
        ([lists("n")], True, HealthState.MISSING, NOT_LISTED),
        ([lists("n")], False, HealthState.UNKNOWN, NEVER_LISTED),
        ([DOWN, lists("n")], True, HealthState.UNKNOWN, PART_AWAY),
        ([DOWN, DOWN], True, HealthState.FAILING, "Refused."),
        ([NO_LIST], True, HealthState.UNKNOWN, NOT_FREE),
        ([NO_LIST, lists("n")], True, HealthState.UNKNOWN, NOT_FREE),
        ([NO_LIST, lists("m")], True, HealthState.HEALTHY, ""),
    ],
)
def test_a_model(answers: list[Answered], was_listed: bool, state: HealthState, problem: str) -> None:
    finding = judge_model("m", answers, called=None, was_listed=was_listed)

    assert (finding.state, finding.problem) == (state, problem)


@pytest.mark.parametrize(("called", "state"), [(NO_LIST, HealthState.HEALTHY), (DOWN, HealthState.FAILING)])
def test_a_small_call_says_more_than_any_list(called: Answered, state: HealthState) -> None:
    assert judge_model("m", [lists("n")], called=called, was_listed=True).state is state


@pytest.mark.parametrize(("name", "listed"), [("llama3.2", "llama3.2:latest"), ("llama3.2:latest", "llama3.2"), ("m", "m")])
def test_ollamas_newest_tag_may_be_left_out(name: str, listed: str) -> None:
    assert judge_model(name, [lists(listed)], called=None, was_listed=True).state is HealthState.HEALTHY


def test_another_size_of_a_model_is_another_model() -> None:
    assert judge_model("llama3.2:1b", [lists("llama3.2:3b")], called=None, was_listed=True).state is HealthState.MISSING
