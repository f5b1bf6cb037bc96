"""Once a budget has refused a call, a run asks nobody any more and ends with what is there."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councils.engine.actions import CountVotes, Finish, StartCall, Wait
from councils.engine.deliberation import count_votes, next_actions
from councils.engine.reasons import ReasonCode
from councils.engine.steps import StepState, is_out_of_budget
from councils.engine.tally import TallyResult
from councils.engine.types import ChairmanMode, CouncilSpec, Mark, RunStatus, StepStatus
from councils.tests.engine.builders import honest_reviews, make_spec, opinion, opinions, steps_of
from councils.tests.engine.test_every_course import SPECS, check, moves

ORDER = ("agent_1", "agent_2", "agent_3", "agent_4")


def refused(key: str) -> StepState:
    return StepState(key=key, status=StepStatus.FAILED, error_kind="budget_used_up")


def ending(spec: CouncilSpec, *steps: StepState) -> Finish:
    (end,) = next_actions(spec, steps_of(*steps), elapsed_s=1.0)
    assert isinstance(end, Finish)
    return end


def test_what_is_under_way_is_waited_for_and_nothing_is_begun() -> None:
    running = opinion(3, status=StepStatus.RUNNING, latency_s=None)

    (action,) = next_actions(make_spec(4), steps_of(opinion(1), refused("opinion:agent_2"), running), elapsed_s=1.0)

    assert isinstance(action, Wait)


def test_answers_without_a_review_end_with_one_of_them_unranked() -> None:
    end = ending(make_spec(4), opinion(1), opinion(2), refused("opinion:agent_3"))

    assert (end.status, end.reason.code) == (RunStatus.PARTIAL, ReasonCode.OUT_OF_BUDGET_UNRANKED)
    assert {Mark.BUDGET, Mark.VERBATIM, Mark.UNREVIEWED} <= end.marks
    assert "The budget was used up." in str(end.reason)


def test_ballots_that_are_in_are_counted_since_that_costs_nothing() -> None:
    spec = make_spec(4)
    ballots = [*honest_reviews(spec, ORDER)[:3], refused("review:agent_4")]

    (action,) = next_actions(spec, steps_of(*opinions(4), *ballots), elapsed_s=1.0)

    assert isinstance(action, CountVotes)


@pytest.mark.parametrize("mode", list(ChairmanMode))
def test_a_vote_that_was_cut_short_ends_in_part_whatever_the_mode(mode: ChairmanMode) -> None:
    spec = make_spec(4, chairman_mode=mode)
    steps = steps_of(*opinions(4), *honest_reviews(spec, ORDER)[:3], refused("review:agent_4"))
    steps["tally"] = StepState(key="tally", status=StepStatus.DONE, tally=_count(spec, steps))

    end = ending(spec, *steps.values())

    assert (end.status, end.reason.code, end.answer_by) == (RunStatus.PARTIAL, ReasonCode.OUT_OF_BUDGET_FIRST_CHOICE, "agent_1")


def _count(spec: CouncilSpec, steps: dict[str, StepState]) -> TallyResult:
    return count_votes(spec, "tally", steps)


def test_a_chairman_that_cannot_be_paid_leaves_the_first_choice() -> None:
    spec = make_spec(4)
    steps = steps_of(*opinions(4), *honest_reviews(spec, ORDER))
    steps["tally"] = StepState(key="tally", status=StepStatus.DONE, tally=_count(spec, steps))

    end = ending(spec, *steps.values(), refused("synthesis"))

    assert (end.status, end.answer_by) == (RunStatus.PARTIAL, "agent_1")
    assert Mark.BUDGET in end.marks


def test_one_answer_is_given_as_what_there_is() -> None:
    end = ending(make_spec(4), opinion(1), refused("opinion:agent_2"))

    assert (end.status, end.reason.code) == (RunStatus.PARTIAL, ReasonCode.OUT_OF_BUDGET_ONE_ANSWER)
    assert end.marks >= {Mark.BUDGET, Mark.SINGLE}


def test_without_an_answer_the_run_has_failed_and_says_of_each_member_why() -> None:
    end = ending(make_spec(3), refused("opinion:agent_1"))

    assert end.status is RunStatus.FAILED
    assert str(end.reason).count("budget used up") == 3


@settings(max_examples=150, deadline=None)
@given(spec=SPECS, data=st.data())
def test_from_any_refusal_on_no_call_begins_and_the_run_ends(spec: CouncilSpec, data: st.DataObject) -> None:
    steps: dict[str, StepState] = {}
    refuse_from = data.draw(st.integers(0, 25), label="refused from this move on")
    for number in range(400):
        actions = check(spec, steps, 1.0)
        if is_out_of_budget(steps):
            assert not any(isinstance(action, StartCall) for action in actions)
        if isinstance(actions[0], Finish):
            assert (Mark.BUDGET in actions[0].marks) == is_out_of_budget(steps)
            assert not (is_out_of_budget(steps) and actions[0].status is RunStatus.SUCCEEDED)
            return
        if number >= refuse_from and isinstance(actions[0], StartCall):
            steps = steps | {actions[0].key: refused(actions[0].key)}
            continue
        choices = list(moves(spec, steps, actions))
        steps = data.draw(st.sampled_from(choices), label="move").steps
    pytest.fail("the walk did not end")


def test_a_retry_that_cannot_be_paid_counts_as_a_refusal_too() -> None:
    tried = replace(opinion(2), status=StepStatus.FAILED, error_kind="budget_used_up", text="")

    assert is_out_of_budget(steps_of(opinion(1), tried))
    assert not is_out_of_budget(steps_of(opinion(1), replace(tried, error_kind="timeout")))
