"""Every course a run can take ends: a model checker over ``next_actions``.

The host is played move by move. After each single action the engine is asked anew, as after a crash, so every prefix of steps is a state
that is checked. Time moves in three notches per running step (fresh, past the soft deadline, past the stage's deadline); the run's own
deadline can pass in any state.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councils.engine.deliberation import CountVotes, FailStep, Finish, MarkLate, StartCall, StepState, Wait, count_votes, next_actions
from councils.engine.panel import candidates, seen_by
from councils.engine.steps import agent_of, round_of
from councils.engine.types import ChairmanMode, CouncilSpec, Mark, RunStatus, StepStatus, VotingSystem
from councils.tests.engine.builders import make_ballot, make_spec, opinions, outside_seat, review, steps_of

NOTCHES = (0.0, 11.0, 121.0)
OVER_S = 1_000.0
TIME_PASSES = "time passes"

ALL_THREE = ("agent_1", "agent_2", "agent_3")

Steps = dict[str, StepState]


@dataclass(frozen=True)
class Move:
    """One thing that can happen to a run: a step takes a new state, or the clock moves on for all that run."""

    name: str
    steps: Steps


def known_keys(spec: CouncilSpec) -> set[str]:
    seats = {f"{kind}:{seat.agent_id}{end}" for kind in ("opinion", "review") for seat in spec.seats for end in ("", ":2")}
    return seats | {"tally", "tally:2", "synthesis"}


def check(spec: CouncilSpec, steps: Steps, elapsed_s: float) -> tuple[object, ...]:
    """The engine's answer in this state, after checking that it is one that a host can follow."""
    actions = next_actions(spec, steps, elapsed_s=elapsed_s)
    started = [action.key for action in actions if isinstance(action, StartCall | CountVotes)]
    stopped = [action.key for action in actions if isinstance(action, MarkLate | FailStep)]
    assert actions, "there is always something to do"
    assert len(set(started)) == len(started)
    assert not set(started) & steps.keys(), "a step that exists is never begun"
    assert set(started) <= known_keys(spec)
    assert all(steps[key].status is StepStatus.RUNNING for key in stopped)
    for action in actions:
        if isinstance(action, Wait | Finish):
            assert len(actions) == 1
        if isinstance(action, Wait):
            assert any(step.status is StepStatus.RUNNING for step in steps.values())
            assert action.at_most_s is not None
            assert action.at_most_s > 0
            assert elapsed_s < spec.run_deadline_s
        if isinstance(action, Finish):
            check_ending(spec, action)
    return actions


def check_ending(spec: CouncilSpec, end: Finish) -> None:
    assert end.status in {RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED}
    assert bool(end.answer) == bool(end.answer_by) == (end.status is not RunStatus.FAILED)
    assert end.answer_by in {"", "chairman", *(seat.agent_id for seat in spec.answering())}
    assert str(end.reason).endswith(".")
    if end.marks & {Mark.VERBATIM, Mark.DEADLINE}:
        assert end.status is not RunStatus.SUCCEEDED


def outcomes(spec: CouncilSpec, steps: Steps, step: StepState) -> Iterator[StepState]:
    """How a running call can end."""
    yield replace(step, status=StepStatus.FAILED, error_kind="timeout")
    if step.key.startswith("review:"):
        yield replace(step, status=StepStatus.INVALID, latency_s=2.0)
        seen = seen_by(agent_of(step.key), candidates(spec, steps, round_of(step.key)))
        for order in (seen, seen[::-1]):
            yield replace(step, status=StepStatus.DONE, latency_s=2.0, ballot=make_ballot(agent_of(step.key), *order))
    else:
        yield replace(step, status=StepStatus.DONE, latency_s=2.0, text=f"text of {step.key}")
        if round_of(step.key) == 2:
            yield replace(step, status=StepStatus.DONE, latency_s=2.0, text="KEEP")


def apply(spec: CouncilSpec, steps: Steps, action: object) -> Steps:
    if isinstance(action, StartCall):
        return steps | {action.key: StepState(key=action.key, status=StepStatus.RUNNING)}
    if isinstance(action, MarkLate):
        return steps | {action.key: replace(steps[action.key], status=StepStatus.LATE)}
    if isinstance(action, FailStep):
        return steps | {action.key: replace(steps[action.key], status=StepStatus.FAILED, error_kind=action.error_kind)}
    assert isinstance(action, CountVotes)
    return steps | {action.key: StepState(key=action.key, status=StepStatus.DONE, tally=count_votes(spec, action.key, steps))}


def moves(spec: CouncilSpec, steps: Steps, actions: tuple[object, ...]) -> Iterator[Move]:
    """All that can happen next: the first action is carried out, or, where the run waits, a call ends or time passes."""
    if isinstance(actions[0], Finish):
        return
    if not isinstance(actions[0], Wait):
        yield Move(repr(actions[0]), apply(spec, steps, actions[0]))
        return
    running = [step for step in steps.values() if step.status is StepStatus.RUNNING]
    for step in running:
        for end in outcomes(spec, steps, step):
            yield Move(f"{step.key} {end.status}", steps | {step.key: end})
    later = dict(pairwise(NOTCHES))
    if any(step.elapsed_s in later for step in running):
        aged = {step.key: replace(step, elapsed_s=later.get(step.elapsed_s, step.elapsed_s)) for step in running}
        yield Move(TIME_PASSES, steps | aged)


def fingerprint(steps: Steps) -> frozenset[object]:
    """The state as far as it can matter: contents are reduced to what tells two courses apart."""
    return frozenset(
        (step.key, step.status, step.elapsed_s, step.ballot.tiers if step.ballot else None, step.text == "KEEP") for step in steps.values()
    )


def explore(
    spec: CouncilSpec, start: Steps | None = None, *, in_time: bool = False, at_end: Callable[[Steps, Finish], None] | None = None
) -> set[RunStatus]:
    """Visit every state that can be reached; the statuses that runs end with. ``in_time`` leaves out that calls are slow.

    Every move makes progress (a step is new, older or ended), so no course goes round for ever. ``at_end`` sees the steps of every ending.
    """
    seen: set[frozenset[object]] = set()
    ends: set[RunStatus] = set()
    todo: list[Steps] = [start or {}]
    while todo:
        steps = todo.pop()
        state = fingerprint(steps)
        if state in seen:
            continue
        seen.add(state)
        assert not any(isinstance(action, StartCall | Wait) for action in check(spec, steps, OVER_S)), "no call begins when time is up"
        actions = check(spec, steps, 1.0)
        if isinstance(actions[0], Finish):
            ends.add(actions[0].status)
            if at_end is not None:
                at_end(steps, actions[0])
        following = [move for move in moves(spec, steps, actions) if not (in_time and move.name == TIME_PASSES)]
        assert following or isinstance(actions[0], Finish), "only a finish has no way on"
        todo.extend(move.steps for move in following)
    return ends


@pytest.mark.parametrize("mode", list(ChairmanMode))
def test_every_course_of_a_council_of_three_ends(mode: ChairmanMode) -> None:
    spec = make_spec(3, chairman_mode=mode)

    assert explore(spec) == {RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED}


def test_every_course_without_a_review_ends() -> None:
    assert explore(make_spec(3, enable_peer_review=False)) == {RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED}


def test_every_course_with_outside_reviewers_ends() -> None:
    seats = tuple(replace(seat, reviews=False) for seat in make_spec(2).seats)
    spec = make_spec(seats=(*seats, outside_seat(1), outside_seat(2)), min_models=2)

    assert explore(spec) == {RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED}


def test_a_council_of_one_either_answers_or_fails() -> None:
    assert explore(make_spec(1, enable_peer_review=False, quorum=1, min_models=1)) == {RunStatus.SUCCEEDED, RunStatus.FAILED}


def test_every_course_of_an_extra_round_ends() -> None:
    spec = make_spec(3, voting_system=VotingSystem.CONSENSUS, extra_round=True)
    voted = steps_of(*opinions(3), *(review(make_ballot(f"agent_{n}", *seen_by(f"agent_{n}", ALL_THREE))) for n in (1, 2, 3)))
    start = voted | {"tally": StepState(key="tally", status=StepStatus.DONE, tally=count_votes(spec, "tally", voted))}

    assert explore(spec, start, in_time=True) == {RunStatus.SUCCEEDED, RunStatus.PARTIAL}


SPECS = st.builds(
    lambda count, system, mode, quorum, extra_round, review: make_spec(
        count, voting_system=system, chairman_mode=mode, quorum=min(quorum, count), extra_round=extra_round, enable_peer_review=review
    ),
    count=st.integers(3, 6),
    system=st.sampled_from(VotingSystem),
    mode=st.sampled_from(ChairmanMode),
    quorum=st.integers(1, 4),
    extra_round=st.booleans(),
    review=st.booleans(),
)


@settings(max_examples=120, deadline=None)
@given(spec=SPECS, data=st.data())
def test_any_walk_through_a_larger_council_ends(spec: CouncilSpec, data: st.DataObject) -> None:
    steps: Steps = {}
    for _ in range(400):
        actions = check(spec, steps, data.draw(st.sampled_from((1.0, 1.0, 1.0, 300.0)), label="elapsed"))
        if isinstance(actions[0], Finish):
            return
        # Calls mostly end well, else hardly any walk would come to the later phases.
        choices = sorted(moves(spec, steps, actions), key=lambda move: " failed" in move.name or move.name == TIME_PASSES)
        place = data.draw(st.integers(0, len(choices) - 1), label="move")
        steps = choices[place].steps
    pytest.fail("the walk did not end")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_walk_through_an_extra_round_ends(data: st.DataObject) -> None:
    spec = make_spec(4, voting_system=VotingSystem.CONSENSUS, extra_round=True)
    steps: Steps = {}
    reached_second_round = False
    for _ in range(400):
        actions = check(spec, steps, 1.0)
        if isinstance(actions[0], Finish):
            break
        choices = [move for move in moves(spec, steps, actions) if reached_second_round or " failed" not in move.name]
        steps = data.draw(st.sampled_from(choices), label="move").steps
        reached_second_round = reached_second_round or any(key.endswith(":2") for key in steps)
    else:
        pytest.fail("the walk did not end")
