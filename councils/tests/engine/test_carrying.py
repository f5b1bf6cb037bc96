"""What a later try keeps: everything that went well and still means something, and never a call for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councils.engine.carrying import Carried, for_regenerate, for_retry
from councils.engine.deliberation import CountVotes, FailStep, Finish, StartCall, Wait, count_votes, next_actions
from councils.engine.panel import candidates, seen_by
from councils.engine.steps import SYNTHESIS, StepState, agent_of, round_of
from councils.engine.types import ChairmanMode, CouncilSpec, Mark, RunStatus, StepStatus, VotingSystem
from councils.tests.engine.builders import make_ballot, make_spec, opinion, opinions, outside_seat, review, steps_of
from councils.tests.engine.test_every_course import SPECS, Steps, check, explore, moves

DONE, FAILED, LATE_DONE = StepStatus.DONE, StepStatus.FAILED, StepStatus.LATE_DONE
ALL = ("agent_1", "agent_2", "agent_3")


def ballots(*voters: int, seats: int = 3) -> list[StepState]:
    names = [f"agent_{n}" for n in range(1, seats + 1)]
    return [review(make_ballot(f"agent_{n}", *seen_by(f"agent_{n}", names))) for n in voters]


def counted(spec: CouncilSpec, steps: Steps, key: str = "tally") -> StepState:
    return StepState(key=key, status=DONE, tally=count_votes(spec, key, steps))


def written(**changes: Any) -> StepState:
    return StepState(key=SYNTHESIS, **({"status": DONE, "text": "So it is."} | changes))


def answered(spec: CouncilSpec) -> Steps:
    """A run of three in which everything went well."""
    steps = steps_of(*opinions(3), *ballots(1, 2, 3))
    return steps | steps_of(counted(spec, steps), written())


def retried(spec: CouncilSpec, steps: Steps) -> Carried:
    carried = for_retry(spec, steps)
    assert carried is not None
    return carried


def go_well(spec: CouncilSpec, carried: Carried) -> tuple[Finish, Steps, list[str]]:
    """Let every call of the later try succeed: how it ends, its steps and what was called."""
    steps: Steps = dict(carried.steps)
    called: list[str] = []
    while True:
        actions = next_actions(carried.spec, steps, elapsed_s=1.0)
        if isinstance(actions[0], Finish):
            return actions[0], steps, called
        for action in actions:
            assert isinstance(action, StartCall | CountVotes)
            assert action.key not in steps
            if isinstance(action, CountVotes):
                steps[action.key] = counted(carried.spec, steps, action.key)
                continue
            called.append(action.key)
            seen = seen_by(agent_of(action.key), candidates(spec, steps, round_of(action.key)))
            ballot = make_ballot(agent_of(action.key), *seen) if action.key.startswith("review:") else None
            steps[action.key] = StepState(key=action.key, status=DONE, text="Well.", ballot=ballot, latency_s=2.0)


@pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.LATE, StepStatus.CANCELLED])
def test_a_missing_opinion_is_asked_for_and_the_review_of_the_others_is_not_kept(status: StepStatus) -> None:
    spec = make_spec(3)
    steps = answered(spec) | steps_of(opinion(2, status=status))

    carried = retried(spec, steps)

    assert set(carried.steps) == {"opinion:agent_1", "opinion:agent_3"}
    assert carried.asks == ("opinion:agent_2",)
    assert (carried.reviews_anew, carried.seats) == (True, frozenset(ALL))


def test_an_opinion_that_was_never_begun_is_asked_for() -> None:
    assert retried(make_spec(3), steps_of(*opinions(2))).asks == ("opinion:agent_3",)


def test_an_answer_that_came_too_late_counts_now_and_the_ballots_without_it_do_not() -> None:
    spec = make_spec(4)
    steps = steps_of(*opinions(3), opinion(4, status=LATE_DONE), *ballots(1, 2, 3))

    carried = retried(spec, steps | steps_of(counted(spec, steps), written()))

    assert {key: step.status for key, step in carried.steps.items()} == {f"opinion:agent_{n}": DONE for n in (1, 2, 3, 4)}
    assert carried.asks == tuple(f"review:agent_{n}" for n in (1, 2, 3, 4))


def test_a_seat_that_was_late_has_the_whole_stage_in_the_next_try() -> None:
    spec = make_spec(4, soft_deadline_min_s=10.0, stage_deadline_s=120.0)
    carried = retried(spec, steps_of(*opinions(3), opinion(4, status=StepStatus.LATE, text="")))

    def after(elapsed_s: float) -> tuple[object, ...]:
        running = opinion(4, status=StepStatus.RUNNING, text="", latency_s=None, elapsed_s=elapsed_s)
        return next_actions(carried.spec, {**carried.steps, running.key: running}, elapsed_s=elapsed_s)

    assert after(100.0) == (Wait(20.0),)
    assert after(120.0) == (FailStep("opinion:agent_4", "timeout"),)


def test_a_reviewer_that_was_late_has_the_whole_stage_in_the_next_try() -> None:
    spec = make_spec(3, soft_deadline_min_s=10.0, stage_deadline_s=120.0)
    late = StepState(key="review:agent_3", status=StepStatus.LATE)
    steps = steps_of(*opinions(3), *ballots(1, 2), late)
    carried = retried(spec, steps | steps_of(counted(spec, steps), written()))

    running = replace(late, status=StepStatus.RUNNING, elapsed_s=100.0)

    assert carried.asks == (late.key,)
    assert next_actions(carried.spec, {**carried.steps, late.key: running}, elapsed_s=100.0) == (Wait(20.0),)


@pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.INVALID, StepStatus.LATE])
def test_a_missing_ballot_is_asked_for_beside_the_kept_ones(status: StepStatus) -> None:
    spec = make_spec(3)
    steps = answered(spec) | {"review:agent_2": StepState(key="review:agent_2", status=status)}

    carried = retried(spec, steps)

    assert {key for key in carried.steps if key.startswith("review")} == {"review:agent_1", "review:agent_3"}
    assert (carried.asks, carried.reviews_anew, carried.seats) == (("review:agent_2",), False, frozenset({"agent_2"}))


def test_a_ballot_that_came_too_late_counts_now_and_the_votes_are_counted_anew() -> None:
    spec = make_spec(3)
    late = replace(ballots(3)[0], status=LATE_DONE)
    steps = steps_of(*opinions(3), *ballots(1, 2), late)

    carried = retried(spec, steps | steps_of(counted(spec, steps), written()))
    end, after, called = go_well(spec, carried)

    assert "tally" not in carried.steps
    assert (carried.asks, called) == ((), [SYNTHESIS])
    assert after["tally"].tally is not None
    assert after["tally"].tally.counted == 3
    assert end.status is RunStatus.SUCCEEDED


def test_only_the_chairman_is_asked_where_only_the_chairman_failed() -> None:
    spec = make_spec(3)
    steps = answered(spec) | steps_of(written(status=FAILED, text=""))

    carried = retried(spec, steps)

    assert carried.steps == {key: step for key, step in steps.items() if key != SYNTHESIS}
    assert (carried.asks, carried.seats) == ((SYNTHESIS,), frozenset())


def test_there_is_nothing_to_retry_where_all_went_well() -> None:
    spec = make_spec(3)

    assert for_retry(spec, answered(spec)) is None


def test_an_extra_round_that_there_was_no_time_for_is_not_something_that_failed() -> None:
    spec = make_spec(3, voting_system=VotingSystem.CONSENSUS, extra_round=True)
    steps = steps_of(
        *opinions(3), *(review(make_ballot(f"agent_{n}", *order)) for n, order in ((1, (ALL[1:])), (2, ALL[::2]), (3, ALL[:2])))
    )
    split = steps | steps_of(counted(spec, steps), written())
    tally = split["tally"].tally
    assert tally is not None
    split["tally"] = replace(split["tally"], tally=replace(tally, reached=False))

    regenerated = for_regenerate(spec, split)

    assert for_retry(spec, split) is None
    assert regenerated is not None
    assert (regenerated.asks, regenerated.spec.extra_round) == ((SYNTHESIS,), False)


def test_another_wording_keeps_everything_as_it_is_failures_too() -> None:
    spec = make_spec(4)
    steps = steps_of(
        *opinions(3), opinion(4, status=FAILED, text=""), *ballots(1, 2), StepState(key="review:agent_3", status=StepStatus.INVALID)
    )
    steps |= steps_of(counted(spec, steps), written())

    carried = for_regenerate(spec, steps)

    assert carried is not None
    assert carried.steps == {key: step for key, step in steps.items() if key != SYNTHESIS}
    assert (carried.asks, carried.seats) == ((SYNTHESIS,), frozenset())


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        (make_spec(3, chairman_mode=ChairmanMode.SELECT_BEST), answered(make_spec(3))),
        (make_spec(3), steps_of(opinion(1), opinion(2, status=FAILED), opinion(3, status=FAILED))),
        (make_spec(1, enable_peer_review=False, quorum=1, min_models=1, chairman=()), steps_of(opinion(1))),
        (make_spec(3), steps_of(*opinions(3))),
        (make_spec(3), {}),
    ],
    ids=["chosen by vote", "one answer", "one member", "not reviewed yet", "nothing there"],
)
def test_there_is_no_other_wording_where_more_or_less_than_the_chairman_would_be_asked(spec: CouncilSpec, steps: Steps) -> None:
    assert for_regenerate(spec, steps) is None


def check_later_tries(spec: CouncilSpec) -> Callable[[Steps, Finish], None]:
    """What holds for the later tries of every ending: nothing kept is begun, and where all goes well nothing is missing."""

    def look(steps: Steps, end: Finish) -> None:
        carried = for_retry(spec, steps)
        if carried is None:
            assert end.status is RunStatus.SUCCEEDED, "what did not succeed can be tried again"
            assert Mark.DEGRADED not in end.marks
        else:
            check(carried.spec, dict(carried.steps), 1.0)
            assert all(steps[key].status in (DONE, LATE_DONE) for key in carried.steps), "only what is there is kept"
            better, _, called = go_well(spec, carried)
            assert better.status is RunStatus.SUCCEEDED
            assert Mark.DEGRADED not in better.marks
            assert not set(called) & carried.steps.keys()
        anew = for_regenerate(spec, steps)
        if anew is not None:
            assert go_well(spec, anew)[2] == [SYNTHESIS]

    return look


def test_every_ending_of_a_council_of_three_can_be_tried_again_until_all_is_there() -> None:
    spec = make_spec(3)

    explore(spec, at_end=check_later_tries(spec))


def test_every_ending_without_a_review_or_with_outside_reviewers_can_be_tried_again() -> None:
    silent = make_spec(3, enable_peer_review=False)
    outside = make_spec(
        seats=(*(replace(seat, reviews=False) for seat in make_spec(2).seats), outside_seat(1), outside_seat(2)), min_models=2
    )
    for spec in (silent, outside):
        explore(spec, at_end=check_later_tries(spec))


def endings(spec: CouncilSpec, data: st.DataObject) -> Iterator[tuple[Steps, Finish]]:
    """The ending of one walk, and of a walk through each of its later tries, each going wrong in its own way."""
    steps: Steps = {}
    for _ in range(3):
        actions = check(spec, steps, 1.0)
        while not isinstance(actions[0], Finish):
            steps = data.draw(st.sampled_from(list(moves(spec, steps, actions))), label="move").steps
            actions = check(spec, steps, 1.0)
        yield steps, actions[0]
        carried = for_retry(spec, steps)
        if carried is None:
            return
        spec, steps = carried.spec, dict(carried.steps)


@settings(max_examples=60, deadline=None)
@given(spec=SPECS, data=st.data())
def test_a_later_try_of_a_later_try_holds_too_in_larger_councils(spec: CouncilSpec, data: st.DataObject) -> None:
    look = check_later_tries(spec)
    for steps, end in endings(spec, data):
        look(steps, end)
