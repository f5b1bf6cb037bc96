"""The run policy, rule by rule. That every course ends is shown in ``test_every_course``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from councils.engine.deliberation import (
    Action,
    CountVotes,
    FailStep,
    Finish,
    MarkLate,
    StartCall,
    StepState,
    Wait,
    count_votes,
    next_actions,
)
from councils.engine.reasons import Reason, ReasonCode
from councils.engine.steps import opinion_key
from councils.engine.types import ChairmanMode, CouncilSpec, Mark, RunStatus, Seat, Stage, StepStatus, VotingSystem
from councils.tests.engine.builders import (
    NAMES,
    honest_reviews,
    make_ballot,
    make_seats,
    make_spec,
    opinion,
    opinions,
    outside_seat,
    review,
    scored_ballot,
    steps_of,
)

ORDER = ("agent_1", "agent_2", "agent_3", "agent_4")
SYNTHESIS = StartCall("synthesis", Stage.SYNTHESIS, "")


def ask(spec: CouncilSpec, steps: Mapping[str, StepState], elapsed_s: float = 5.0) -> tuple[Action, ...]:
    return next_actions(spec, steps, elapsed_s=elapsed_s)


def end_of(spec: CouncilSpec, steps: Mapping[str, StepState], elapsed_s: float = 5.0) -> Finish:
    (action,) = ask(spec, steps, elapsed_s)
    assert isinstance(action, Finish), action
    return action


def running(key: str, elapsed_s: float = 0.0) -> StepState:
    return StepState(key=key, status=StepStatus.RUNNING, elapsed_s=elapsed_s)


def failed(key: str, error_kind: str = "timeout") -> StepState:
    return StepState(key=key, status=StepStatus.FAILED, error_kind=error_kind)


def written(text: str = "The final answer.") -> StepState:
    return StepState(key="synthesis", status=StepStatus.DONE, text=text)


def started(actions: tuple[Action, ...]) -> list[str]:
    return [action.key for action in actions if isinstance(action, StartCall)]


def counted(spec: CouncilSpec, steps: Mapping[str, StepState], key: str = "tally") -> dict[str, StepState]:
    return dict(steps) | {key: StepState(key=key, status=StepStatus.DONE, tally=count_votes(spec, key, steps))}


def reviewed(spec: CouncilSpec) -> dict[str, StepState]:
    return counted(spec, steps_of(*opinions(4), *honest_reviews(spec, ORDER)))


class TestOpinions:
    def test_all_answering_seats_are_asked_at_once(self) -> None:
        spec = make_spec(seats=(*make_seats(3), outside_seat(1)))

        assert ask(spec, {}) == tuple(StartCall(f"opinion:agent_{n}", Stage.OPINIONS, f"agent_{n}") for n in (1, 2, 3))

    def test_after_a_crash_only_what_was_not_begun_is_begun(self) -> None:
        steps = steps_of(opinion(1), running("opinion:agent_3"))

        assert started(ask(make_spec(), steps)) == ["opinion:agent_2", "opinion:agent_4"]

    def test_the_run_waits_for_calls_until_the_stages_deadline(self) -> None:
        steps = steps_of(opinion(1), running("opinion:agent_2", 20.0), running("opinion:agent_3", 30.0), failed("opinion:agent_4"))

        assert ask(make_spec(), steps) == (Wait(90.0),)

    def test_the_wait_ends_with_the_run_if_that_is_sooner(self) -> None:
        steps = steps_of(*(running(opinion_key(seat.agent_id), 1.0) for seat in make_spec().seats))

        assert ask(make_spec(), steps, elapsed_s=400.0) == (Wait(20.0),)

    def test_a_step_past_the_stages_deadline_has_failed(self) -> None:
        steps = steps_of(running("opinion:agent_1", 120.0), running("opinion:agent_2", 119.0), *opinions(4)[2:3], failed("opinion:agent_4"))

        assert ask(make_spec(), steps) == (FailStep("opinion:agent_1", "timeout"),)

    def test_before_the_quorum_nobody_is_late(self) -> None:
        steps = steps_of(opinion(1), *(running(f"opinion:agent_{n}", 60.0) for n in (2, 3, 4)))

        assert ask(make_spec(), steps) == (Wait(60.0),)

    @pytest.mark.parametrize(("quorum", "late"), [(1, True), (2, True), (3, False)])
    def test_once_the_quorum_is_in_stragglers_are_late(self, quorum: int, late: bool) -> None:
        steps = steps_of(opinion(1), opinion(2), running("opinion:agent_3", 60.0), running("opinion:agent_4", 60.0))

        actions = ask(make_spec(quorum=quorum), steps)

        assert (actions == (MarkLate("opinion:agent_3"), MarkLate("opinion:agent_4"))) is late

    @pytest.mark.parametrize(
        ("latencies", "soft_s"),
        [
            ((1.0, 2.0, 3.0), 10.0),
            ((4.0, 8.0, 30.0), 16.0),
            ((8.0, 10.0, 12.0), 20.0),
            ((None, None, None), 10.0),
            ((90.0, 90.0, 90.0), 120.0),
        ],
    )
    def test_late_is_who_takes_twice_the_median_but_at_least_ten_seconds(self, latencies: tuple[float | None, ...], soft_s: float) -> None:
        came = [opinion(number, latency_s=latency) for number, latency in enumerate(latencies, 1)]

        assert ask(make_spec(), steps_of(*came, running("opinion:agent_4", soft_s - 1))) == (Wait(1.0),)
        assert ask(make_spec(), steps_of(*came, running("opinion:agent_4", soft_s))) != (Wait(1.0),)

    def test_with_a_straggler_left_behind_the_review_begins_without_it(self) -> None:
        late = StepState(key="opinion:agent_4", status=StepStatus.LATE)

        assert started(ask(make_spec(), steps_of(*opinions(3), late))) == ["review:agent_1", "review:agent_2", "review:agent_3"]

    def test_an_answer_that_comes_late_is_not_reviewed(self) -> None:
        steps = steps_of(*opinions(3), opinion(4, status=StepStatus.LATE_DONE), running("review:agent_1"))

        assert started(ask(make_spec(), steps)) == ["review:agent_2", "review:agent_3"]


class TestFewAnswers:
    def test_no_answer_fails_the_run_with_the_reason_of_every_seat(self) -> None:
        faults = ("timeout", "refused", "rate_limited")
        end = end_of(make_spec(3), steps_of(*(failed(f"opinion:agent_{n}", fault) for n, fault in enumerate(faults, 1))))

        assert (end.status, end.answer, end.answer_by) == (RunStatus.FAILED, "", "")
        said = ("Ada Lovelace (no answer in time)", "Blaise Pascal (declined to answer)", "Carl Gauss (provider was too busy)")
        assert str(end.reason) == f"No member answered: {', '.join(said)}."

    def test_one_answer_of_several_stands_alone_and_the_run_is_partial(self) -> None:
        end = end_of(make_spec(3), steps_of(opinion(2), failed("opinion:agent_1"), failed("opinion:agent_3")))

        assert (end.status, end.answer, end.answer_by) == (RunStatus.PARTIAL, "Answer number 2.", "agent_2")
        assert end.marks == {Mark.SINGLE, Mark.DEGRADED}

    def test_the_one_answer_of_a_council_of_one_is_all_that_was_promised(self) -> None:
        end = end_of(make_spec(1, quorum=1), steps_of(opinion(1)))

        assert end.status is RunStatus.SUCCEEDED
        assert end.marks == {Mark.SINGLE}

    def test_the_answer_of_the_one_seat_that_was_asked_lacks_nothing(self) -> None:
        end = end_of(make_spec(1, quorum=1, min_models=1, enable_peer_review=False, chairman=()), steps_of(opinion(1)))

        assert (end.status, end.answer_by, end.marks) == (RunStatus.SUCCEEDED, "agent_1", frozenset())
        assert str(end.reason) == "Only Ada Lovelace was asked, and this is the answer."

    def test_two_answers_go_to_the_chairman_without_review(self) -> None:
        steps = steps_of(*opinions(2), failed("opinion:agent_3"))

        assert ask(make_spec(3), steps) == (SYNTHESIS,)
        end = end_of(make_spec(3), steps | steps_of(written()))
        assert (end.status, end.answer_by) == (RunStatus.SUCCEEDED, "chairman")
        assert end.marks == {Mark.UNREVIEWED, Mark.DEGRADED}

    def test_two_answers_are_reviewed_where_two_outside_reviewers_are_there(self) -> None:
        spec = make_spec(seats=(*make_seats(2, reviews=False), outside_seat(1), outside_seat(2)), min_models=2)

        assert started(ask(spec, steps_of(*opinions(2)))) == ["review:outside_1", "review:outside_2"]

    def test_a_quorum_that_is_just_met_is_met(self) -> None:
        spec = make_spec(quorum=3, enable_peer_review=False)

        assert end_of(spec, steps_of(*opinions(3), failed("opinion:agent_4"), written())).status is RunStatus.SUCCEEDED

    @pytest.mark.parametrize("came", [1, 2])
    def test_a_quorum_above_two_is_a_demand(self, came: int) -> None:
        steps = steps_of(*opinions(came), *(failed(f"opinion:agent_{n}") for n in range(came + 1, 5)))

        end = end_of(make_spec(quorum=3), steps)

        assert end.status is RunStatus.FAILED
        assert str(end.reason).startswith(f"Only {came} of the 3 answers that this council needs came: Ada Lovelace (answered)")


class TestReview:
    def test_a_seat_that_gave_no_answer_is_not_asked_for_a_ballot(self) -> None:
        spec = make_spec(seats=(*make_seats(4), outside_seat(1)))

        keys = started(ask(spec, steps_of(*opinions(3), failed("opinion:agent_4"))))

        assert keys == ["review:agent_1", "review:agent_2", "review:agent_3", "review:outside_1"]

    def test_without_peer_review_the_chairman_writes_at_once_and_nothing_is_missing(self) -> None:
        spec = make_spec(enable_peer_review=False)

        assert ask(spec, steps_of(*opinions(4))) == (SYNTHESIS,)
        end = end_of(spec, steps_of(*opinions(4), written()))
        assert (end.status, end.marks) == (RunStatus.SUCCEEDED, frozenset())

    def test_ballots_are_counted_when_all_are_in(self) -> None:
        spec = make_spec()

        assert ask(spec, steps_of(*opinions(4), *honest_reviews(spec, ORDER))) == (CountVotes("tally"),)

    def test_a_slow_ballot_is_late_once_two_are_valid_and_every_answer_is_judged(self) -> None:
        spec = make_spec()
        reviews = honest_reviews(spec, ORDER)

        enough = steps_of(*opinions(4), *reviews[:2], running("review:agent_3", 15.0), running("review:agent_4", 15.0))

        assert ask(spec, enough) == (MarkLate("review:agent_3"), MarkLate("review:agent_4"))

    def test_a_slow_ballot_is_waited_for_while_some_answer_is_on_no_ballot(self) -> None:
        spec = make_spec(4)
        narrow = [review(make_ballot("agent_1", "agent_2", "agent_3")), review(make_ballot("agent_2", "agent_1", "agent_3"))]

        steps = steps_of(*opinions(4), *narrow, running("review:agent_3", 15.0), running("review:agent_4", 15.0))

        assert ask(spec, steps) == (Wait(105.0),)

    def test_one_valid_ballot_is_no_vote_and_the_result_lacks_what_was_promised(self) -> None:
        spec = make_spec(3)
        invalid = [replace(step, status=StepStatus.INVALID, ballot=None) for step in honest_reviews(spec, ORDER[:3])[1:]]
        steps = steps_of(*opinions(3), honest_reviews(spec, ORDER[:3])[0], *invalid)

        assert ask(spec, steps) == (SYNTHESIS,)
        end = end_of(spec, steps | steps_of(written()))
        assert end.status is RunStatus.PARTIAL
        assert end.marks == {Mark.UNREVIEWED, Mark.DEGRADED}

    def test_one_ballot_is_no_vote_even_if_every_answer_is_on_it(self) -> None:
        spec = make_spec(seats=(*make_seats(3, reviews=False), outside_seat(1), outside_seat(2)))
        whole = review(make_ballot("outside_1", *ORDER[:3]))

        assert ask(spec, steps_of(*opinions(3), whole, failed("review:outside_2"))) == (SYNTHESIS,)
        assert ask(spec, steps_of(*opinions(3), whole, running("review:outside_2", 60.0))) == (Wait(60.0),)

    def test_an_invalid_ballot_tells_how_long_a_ballot_takes(self) -> None:
        spec = make_spec(5)
        valid = [replace(step, latency_s=1.0) for step in honest_reviews(spec, (*ORDER, "agent_5"))[:2]]
        slow = [StepState(key=f"review:agent_{n}", status=StepStatus.INVALID, latency_s=30.0) for n in (3, 4)]

        assert ask(spec, steps_of(*opinions(5), *valid, *slow, running("review:agent_5", 20.0))) == (Wait(11.0),)

    def test_a_failed_ballot_does_not_stop_the_vote(self) -> None:
        spec = make_spec()
        steps = steps_of(*opinions(4), *honest_reviews(spec, ORDER)[:3], failed("review:agent_4"))

        tally = counted(spec, steps)["tally"].tally

        assert ask(spec, steps) == (CountVotes("tally"),)
        assert tally is not None
        assert (tally.counted, tally.cast) == (3, 4)


class TestClosedForm:
    SPEC = make_spec(skip_review_when_closed_form_agrees=True)
    SAME = steps_of(*(opinion(number, text) for number, text in enumerate(("42", "42.", "**42**", "Answer: 42.0"), 1)))

    def test_short_answers_that_all_agree_need_no_review(self) -> None:
        assert ask(self.SPEC, self.SAME) == (SYNTHESIS,)
        end = end_of(self.SPEC, self.SAME | steps_of(written("42")))
        assert end.status is RunStatus.SUCCEEDED
        assert end.marks == {Mark.UNREVIEWED}

    def test_they_are_reviewed_where_the_setting_is_off(self) -> None:
        assert "review:agent_1" in started(ask(make_spec(), self.SAME))

    def test_one_that_differs_brings_the_review_back(self) -> None:
        assert "review:agent_1" in started(ask(self.SPEC, self.SAME | steps_of(opinion(3, "43"))))


class TestSynthesis:
    def test_after_the_tally_the_chairman_writes(self) -> None:
        assert ask(make_spec(), reviewed(make_spec())) == (SYNTHESIS,)

    def test_what_the_chairman_wrote_is_the_answer(self) -> None:
        end = end_of(make_spec(), reviewed(make_spec()) | steps_of(written()))

        reason = Reason(ReasonCode.WRITTEN_FROM_BALLOTS, {"answers": 4, "counted": 4, "cast": 4})
        assert end == Finish(RunStatus.SUCCEEDED, "The final answer.", "chairman", frozenset(), reason)
        assert str(reason) == "The chairman wrote this from 4 answers and 4 of 4 ballots."

    @pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.CANCELLED])
    def test_if_no_chairman_answers_the_first_choice_stands_verbatim(self, status: StepStatus) -> None:
        end = end_of(make_spec(), reviewed(make_spec()) | steps_of(replace(written(""), status=status)))

        assert (end.status, end.answer, end.answer_by) == (RunStatus.PARTIAL, "Answer number 1.", "agent_1")
        assert end.marks == {Mark.VERBATIM}

    def test_without_vote_and_chairman_the_heaviest_seat_speaks_then_the_first(self) -> None:
        spec = make_spec(enable_peer_review=False)
        steps = steps_of(*opinions(4), failed("synthesis"))
        heavier = replace(spec, seats=(*spec.seats[:2], replace(spec.seats[2], weight=2.0), spec.seats[3]))

        assert end_of(spec, steps).answer_by == "agent_1"
        assert end_of(heavier, steps).answer_by == "agent_3"

    def test_every_chairman_of_the_list_gets_a_stages_time(self) -> None:
        steps = reviewed(make_spec())

        assert ask(make_spec(), steps | steps_of(running("synthesis", 239.0))) == (Wait(1.0),)
        assert ask(make_spec(), steps | steps_of(running("synthesis", 240.0))) == (FailStep("synthesis", "timeout"),)

    def test_select_best_ends_with_the_winners_own_words(self) -> None:
        end = end_of(make_spec(chairman_mode=ChairmanMode.SELECT_BEST), reviewed(make_spec()))

        assert (end.status, end.answer, end.answer_by) == (RunStatus.SUCCEEDED, "Answer number 1.", "agent_1")
        assert end.marks == frozenset()
        assert str(end.reason) == f"The council chose the answer of {NAMES[0]} by 4 of 4 ballots."

    def test_select_best_without_a_vote_asks_the_chairman(self) -> None:
        spec = make_spec(chairman_mode=ChairmanMode.SELECT_BEST, enable_peer_review=False)

        assert ask(spec, steps_of(*opinions(4))) == (SYNTHESIS,)


class TestMarks:
    def test_an_answer_that_ends_at_a_limit_is_cut_whoever_wrote_it(self) -> None:
        long = {"opinion:agent_1": replace(opinion(1), cut=True)}
        steps, best = reviewed(make_spec()), make_spec(chairman_mode=ChairmanMode.SELECT_BEST)

        assert Mark.CUT in end_of(make_spec(), steps | steps_of(replace(written(), cut=True))).marks
        assert Mark.CUT not in end_of(make_spec(), steps | long | steps_of(written())).marks
        assert Mark.CUT in end_of(best, steps | long).marks

    def test_tallies_that_disagree_are_contested(self) -> None:
        spec = make_spec(seats=(*make_seats(3), *(outside_seat(n) for n in range(1, 6))))
        # agent_1 leads the first choices, but a majority prefers each other answer to it.
        orders = [("agent_1", "agent_2", "agent_3")] * 2 + [("agent_2", "agent_3", "agent_1"), *[("agent_3", "agent_2", "agent_1")] * 2]
        ballots = [
            make_ballot(f"outside_{n}", *order, weight=w) for (n, order), w in zip(enumerate(orders, 1), (1, 1, 1.5, 1, 0.9), strict=True)
        ]
        steps = counted(spec, steps_of(*opinions(3), *map(review, ballots)))
        tally = steps["tally"].tally
        assert tally is not None

        end = end_of(spec, steps | steps_of(written()))

        assert (Mark.CONTESTED in end.marks) is tally.contested is True

    def test_a_fallback_model_is_told(self) -> None:
        steps = reviewed(make_spec()) | steps_of(replace(written(), substituted=True))

        assert end_of(make_spec(), steps).marks == {Mark.SUBSTITUTED}

    @pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.LATE, StepStatus.LATE_DONE, StepStatus.CANCELLED])
    def test_a_seat_that_did_not_come_along_degrades_the_result(self, status: StepStatus) -> None:
        spec = make_spec(5)
        steps = steps_of(*opinions(4), opinion(5, status=status), *honest_reviews(make_spec(4), ORDER))

        assert end_of(spec, counted(spec, steps) | steps_of(written())).marks == {Mark.DEGRADED}


class TestRunDeadline:
    def test_before_any_answer_the_run_has_failed(self) -> None:
        end = end_of(make_spec(3), steps_of(*(running(f"opinion:agent_{n}") for n in (1, 2, 3))), 420.0)

        assert end.status is RunStatus.FAILED
        assert end.marks == {Mark.DEADLINE, Mark.DEGRADED}
        assert "Ada Lovelace (no answer in time)" in str(end.reason)

    def test_with_answers_the_best_known_one_stands(self) -> None:
        end = end_of(make_spec(3), steps_of(*opinions(2), running("opinion:agent_3")), 420.0)

        assert (end.status, end.answer_by) == (RunStatus.PARTIAL, "agent_1")
        assert end.marks == {Mark.DEADLINE, Mark.VERBATIM, Mark.UNREVIEWED, Mark.DEGRADED}

    def test_ballots_that_are_in_are_still_counted(self) -> None:
        spec = make_spec()
        steps = steps_of(*opinions(4), *honest_reviews(spec, ("agent_3", "agent_1", "agent_2", "agent_4"))[:3], running("review:agent_4"))

        assert ask(spec, steps, 420.0) == (CountVotes("tally"),)
        end = end_of(spec, counted(spec, steps), 420.0)
        assert (end.status, end.answer_by) == (RunStatus.PARTIAL, "agent_3")
        assert str(end.reason) == f"The run's time was up. This is the council's first choice, by {NAMES[2]}."

    def test_a_synthesis_that_is_done_is_not_lost_to_the_clock(self) -> None:
        end = end_of(make_spec(), reviewed(make_spec()) | steps_of(written()), 9_999.0)

        assert (end.status, end.marks) == (RunStatus.SUCCEEDED, frozenset())

    def test_no_call_begins_after_it(self) -> None:
        assert isinstance(ask(make_spec(), {}, 420.0)[0], Finish)
        assert isinstance(ask(make_spec(), reviewed(make_spec()), 420.0)[0], Finish)


class TestExtraRound:
    SPEC = make_spec(voting_system=VotingSystem.CONSENSUS, extra_round=True)

    def split(self) -> dict[str, StepState]:
        """Four answers on which the reviewers could not agree less."""
        orders = {"agent_1": (2, 3, 4), "agent_2": (4, 3, 1), "agent_3": (1, 4, 2), "agent_4": (3, 2, 1)}
        ballots = [make_ballot(voter, *(f"agent_{n}" for n in order)) for voter, order in orders.items()]
        return counted(self.SPEC, steps_of(*opinions(4), *map(review, ballots)))

    def revised(self, **texts: str) -> dict[str, StepState]:
        answers = [opinion(n, texts.get(f"agent_{n}", "KEEP"), round_=2) for n in (1, 2, 3, 4)]
        return self.split() | steps_of(*answers)

    def test_without_consensus_all_members_may_revise(self) -> None:
        assert started(ask(self.SPEC, self.split())) == [f"opinion:agent_{n}:2" for n in (1, 2, 3, 4)]

    def test_with_consensus_there_is_no_extra_round(self) -> None:
        assert ask(self.SPEC, reviewed(self.SPEC)) == (SYNTHESIS,)

    @pytest.mark.parametrize("changes", [{"extra_round": False}, {"voting_system": VotingSystem.RANKED_CHOICE}])
    def test_it_is_for_consensus_councils_that_allow_it(self, changes: dict[str, Any]) -> None:
        spec = replace(self.SPEC, **changes)
        steps = {key: step for key, step in self.split().items() if key != "tally"}

        assert ask(spec, counted(spec, steps)) == (SYNTHESIS,)

    def test_it_is_not_begun_when_half_of_the_time_is_gone_but_one_begun_goes_on(self) -> None:
        assert ask(self.SPEC, self.split(), 210.0) == (SYNTHESIS,)
        begun = self.split() | steps_of(running("opinion:agent_1:2"))
        assert started(ask(self.SPEC, begun, 211.0)) == ["opinion:agent_2:2", "opinion:agent_3:2", "opinion:agent_4:2"]

    def test_if_all_keep_their_answers_the_first_vote_stands(self) -> None:
        assert ask(self.SPEC, self.revised()) == (SYNTHESIS,)

    @pytest.mark.parametrize("same", ["Keep.", '"KEEP"', "**keep**", "Answer  number\n1."])
    def test_keeping_is_recognised_in_other_dress(self, same: str) -> None:
        assert ask(self.SPEC, self.revised(agent_1=same)) == (SYNTHESIS,)

    def test_a_revision_is_voted_on_beside_the_first_answers(self) -> None:
        steps = self.revised(agent_2="A better answer.")

        assert started(ask(self.SPEC, steps)) == [f"review:agent_{n}:2" for n in (1, 2, 3, 4)]

    def test_the_second_vote_decides_and_a_revision_can_win(self) -> None:
        steps = self.revised(agent_2="A better answer.")
        order = ("agent_2:2", "agent_1", "agent_2", "agent_3", "agent_4")
        for n in (1, 2, 3, 4):
            seen = [answer for answer in order if not answer.startswith(f"agent_{n}")]
            steps |= steps_of(review(scored_ballot(f"agent_{n}", {a: 9.0 - order.index(a) for a in seen}), round_=2))

        assert ask(self.SPEC, steps) == (CountVotes("tally:2"),)
        steps = counted(self.SPEC, steps, "tally:2")
        assert ask(self.SPEC, steps) == (SYNTHESIS,)
        end = end_of(self.SPEC, steps | steps_of(failed("synthesis")))
        assert (end.answer, end.answer_by) == ("A better answer.", "agent_2")

    def test_a_second_vote_that_fails_leaves_the_first(self) -> None:
        steps = self.revised(agent_2="A better answer.") | steps_of(*(failed(f"review:agent_{n}:2") for n in (1, 2, 3, 4)))

        assert ask(self.SPEC, steps) == (SYNTHESIS,)
        end = end_of(self.SPEC, steps | steps_of(written()))
        assert (end.status, Mark.UNREVIEWED in end.marks) == (RunStatus.SUCCEEDED, False)

    def test_select_best_out_of_time_in_the_extra_round_is_partial(self) -> None:
        spec = replace(self.SPEC, chairman_mode=ChairmanMode.SELECT_BEST)

        end = end_of(spec, self.split() | steps_of(running("opinion:agent_1:2")), 420.0)

        assert end.status is RunStatus.PARTIAL
        assert {Mark.DEADLINE, Mark.VERBATIM} <= end.marks

    def test_there_is_no_third_round(self) -> None:
        steps = self.revised(agent_2="A better answer.")
        steps |= {f"review:agent_{n}:2": replace(steps[f"review:agent_{n}"], key=f"review:agent_{n}:2") for n in (1, 3, 4)}
        extra = make_ballot("agent_2", "agent_4", "agent_3", "agent_1")
        covering = make_ballot("agent_1", "agent_2", "agent_2:2", "agent_3", "agent_4")
        steps |= steps_of(review(extra, round_=2), review(covering, round_=2))

        steps = counted(self.SPEC, steps, "tally:2")

        tally = steps["tally:2"].tally
        assert tally is not None
        assert tally.reached is False
        assert ask(self.SPEC, steps) == (SYNTHESIS,)


def test_a_reviewer_that_fails_gives_no_advantage_to_its_own_answer() -> None:
    spec = make_spec()
    steps = steps_of(*opinions(4), *honest_reviews(spec, ORDER)[:3], failed("review:agent_4"))

    tally = counted(spec, steps)["tally"].tally

    assert tally is not None
    assert tally.order == ORDER
    assert tally.borda["agent_4"] == 0


def test_agents_may_be_named_in_any_way_that_a_key_can_hold() -> None:
    seats = tuple(Seat(agent_id=name, name=name, model="m") for name in ("a.b", "c-d", "E_2"))

    assert started(ask(make_spec(seats=seats), {})) == ["opinion:a.b", "opinion:c-d", "opinion:E_2"]
