"""Thumbs and picks as use cases: what counts, what is refused, and who was first."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection

from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import AnswerPick, CouncilRun, Feedback, PickOutcome, Thumb, User
from councils.services.errors import AnswersNotIn, NamesAreShown, NothingToJudge, ReasonTooLong, UnknownAnswer
from councils.services.judging import give_feedback, pick_answer, take_back_feedback
from councils.services.repeating import ask_again, regenerate_answer, retry_run
from councils.services.veiling import Veil, veil_of
from councils.tests.blind import ALL_IN, make_blind_run
from councils.tests.factories import RunPlan, add_step, make_run, make_user

DONE, RUNNING = StepStatus.DONE, StepStatus.RUNNING
PICKED, EQUAL, SKIPPED = PickOutcome.PICKED, PickOutcome.EQUAL, PickOutcome.SKIPPED
THREADS = 4


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


def fresh(run: CouncilRun) -> CouncilRun:
    return CouncilRun.objects.get(pk=run.pk)


def veil(run: CouncilRun) -> Veil:
    found = veil_of(fresh(run))
    assert found is not None
    return found


def test_a_pick_says_what_was_picked_among_what_in_which_order(ada: User) -> None:
    run = make_blind_run(ada)
    lifted = veil(run)

    pick = pick_answer(run=fresh(run), by=ada, outcome=PICKED, answer=lifted.alias("agent_3"))

    assert (pick.run, pick.by, pick.outcome, pick.candidate) == (run, ada, PICKED, "agent_3")
    assert pick.shown == sorted(["agent_1", "agent_2", "agent_3", "agent_4"], key=lifted.numbers.__getitem__)
    assert veil_of(fresh(run)) is None


def test_the_first_judgement_stands(ada: User) -> None:
    run = make_blind_run(ada)
    stale = fresh(run)
    first = pick_answer(run=fresh(run), by=ada, outcome=EQUAL)

    assert pick_answer(run=stale, by=ada, outcome=PICKED, answer="answer_1") == first
    assert pick_answer(run=fresh(run), by=ada, outcome=SKIPPED) == first
    assert AnswerPick.objects.get().outcome == EQUAL


def test_a_pick_in_another_try_with_the_same_answers_shows_the_names_in_all(ada: User) -> None:
    run = make_blind_run(ada)
    newer, _ = regenerate_answer(by=ada, run=run)
    CouncilRun.objects.filter(pk=newer.pk).update(status=RunStatus.SUCCEEDED.value)
    last, _ = regenerate_answer(by=ada, run=fresh(newer))
    stale = CouncilRun.objects.select_related("pick").get(pk=run.pk)
    assert newer.blind
    assert last.blind

    pick_answer(run=fresh(newer), by=ada, outcome=EQUAL)

    assert [veil_of(fresh(each)) for each in (run, newer, last)] == [None] * 3
    for each in (stale, fresh(run), fresh(last)):
        with pytest.raises(NamesAreShown):
            pick_answer(run=each, by=ada, outcome=PICKED, answer="answer_1")
    assert AnswerPick.objects.get().run == newer


def test_a_pick_says_nothing_of_tries_with_other_answers(ada: User) -> None:
    run = make_blind_run(ada)
    newer, _ = ask_again(by=ada, run=run)
    other = make_blind_run(ada)

    pick_answer(run=fresh(run), by=ada, outcome=EQUAL)

    assert veil_of(fresh(newer)) is not None
    assert veil_of(fresh(other)) is not None


def test_an_answer_whose_author_was_shown_because_it_was_the_only_one_is_not_hidden_again(ada: User) -> None:
    plan = RunPlan(opinions=[DONE, StepStatus.FAILED, StepStatus.FAILED, StepStatus.FAILED])
    run = make_blind_run(ada, plan=plan, status=RunStatus.FAILED)

    assert not retry_run(by=ada, run=run)[0].blind


@pytest.mark.django_db(transaction=True)
def test_of_picks_in_two_tries_at_the_same_moment_one_counts() -> None:
    ada = make_user("ada")
    run = make_blind_run(ada)
    tries = [run, regenerate_answer(by=ada, run=run)[0]]
    CouncilRun.objects.filter(pk=tries[1].pk).update(status=RunStatus.SUCCEEDED.value)
    start = Barrier(len(tries))

    def pick(number: int) -> bool:
        mine = fresh(tries[number])
        start.wait()
        try:
            pick_answer(run=mine, by=ada, outcome=EQUAL)
        except NamesAreShown:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(len(tries)) as pool:
        assert sorted(pool.map(pick, range(len(tries)))) == [False, True]


@pytest.mark.django_db(transaction=True)
def test_of_picks_at_the_same_moment_one_is_kept_and_told_to_all() -> None:
    ada = make_user("ada")
    run = make_blind_run(ada)
    start = Barrier(THREADS)

    def pick(number: int) -> int:
        mine = fresh(run)
        start.wait()
        try:
            return pick_answer(run=mine, by=ada, outcome=PICKED, answer=f"answer_{number}").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        told = set(pool.map(pick, range(1, THREADS + 1)))

    assert told == {AnswerPick.objects.get().pk}


def test_looking_at_the_names_is_possible_at_any_time(ada: User) -> None:
    run = make_blind_run(ada, plan=RunPlan(opinions=[DONE, RUNNING]), status=RunStatus.RUNNING)

    pick = pick_answer(run=fresh(run), by=ada, outcome=SKIPPED)

    assert (pick.candidate, pick.shown) == ("", ["agent_1"])


@pytest.mark.parametrize("outcome", [PICKED, EQUAL])
def test_judging_waits_for_the_answers(ada: User, outcome: PickOutcome) -> None:
    run = make_blind_run(ada, plan=RunPlan(opinions=[DONE, DONE, DONE, RUNNING]), status=RunStatus.RUNNING)

    with pytest.raises(AnswersNotIn):
        pick_answer(run=fresh(run), by=ada, outcome=outcome, answer="answer_1")


def test_late_members_and_the_review_are_not_waited_for(ada: User) -> None:
    plan = RunPlan(opinions=[DONE, DONE, StepStatus.LATE, StepStatus.LATE_DONE], reviews=[RUNNING])
    run = make_blind_run(ada, plan=plan, status=RunStatus.RUNNING)

    assert set(pick_answer(run=fresh(run), by=ada, outcome=EQUAL).shown) == {"agent_1", "agent_2", "agent_4"}


def test_an_answer_that_is_not_there_cannot_be_picked(ada: User) -> None:
    run = make_blind_run(ada, plan=ALL_IN, status=RunStatus.RUNNING)

    for answer in ("", "answer_5", "agent_1", "answer_1:2"):
        with pytest.raises(UnknownAnswer):
            pick_answer(run=fresh(run), by=ada, outcome=PICKED, answer=answer)


def test_revisions_follow_the_first_answers(ada: User) -> None:
    run = make_blind_run(ada)
    add_step(run, "opinion:agent_2:2", Stage.OPINIONS, DONE, text="Revised.")

    assert pick_answer(run=fresh(run), by=ada, outcome=EQUAL).shown[-1] == "agent_2:2"


@pytest.mark.parametrize("blind", [False, True])
def test_where_names_are_shown_there_is_nothing_to_pick(ada: User, blind: bool) -> None:
    plan = RunPlan(opinions=[DONE, StepStatus.FAILED]) if blind else RunPlan(opinions=[DONE, DONE])
    run = make_run(owner=ada, status=RunStatus.FAILED, plan=plan, blind=blind)

    with pytest.raises(NamesAreShown):
        pick_answer(run=fresh(run), by=ada, outcome=SKIPPED)


@pytest.mark.parametrize(("outcome", "candidate"), [(PICKED, ""), (EQUAL, "agent_1"), ("best", "agent_1")])
def test_the_database_takes_no_pick_that_makes_no_sense(ada: User, outcome: str, candidate: str) -> None:
    run = make_blind_run(ada)

    with pytest.raises(IntegrityError):
        AnswerPick.objects.create(run=run, by=ada, outcome=outcome, candidate=candidate)


def test_feedback_given_twice_is_one_row(ada: User) -> None:
    run = make_run(owner=ada)
    first = give_feedback(run=run, by=ada, verdict=Thumb.UP, reason="Clear.")
    second = give_feedback(run=run, by=ada, verdict=Thumb.DOWN)

    assert first.pk == second.pk
    assert list(Feedback.objects.values_list("verdict", "reason")) == [("down", "")]


def test_a_reason_of_the_full_length_is_kept_and_one_more_is_refused(ada: User) -> None:
    run = make_run(owner=ada)
    # A browser counts the end of a line as one character.
    give_feedback(run=run, by=ada, verdict=Thumb.UP, reason="x" * 1998 + "\r\ny")
    assert len(Feedback.objects.get().reason) == 2000

    with pytest.raises(ReasonTooLong):
        give_feedback(run=run, by=ada, verdict=Thumb.UP, reason="x" * 2001)


def test_a_run_without_an_answer_cannot_be_judged(ada: User) -> None:
    with pytest.raises(NothingToJudge):
        give_feedback(run=make_run(owner=ada, status=RunStatus.RUNNING), by=ada, verdict=Thumb.UP)


def test_taking_back_touches_nobody_else_s(ada: User) -> None:
    run, bob = make_run(owner=ada), make_user("bob")
    for reader in (ada, bob):
        give_feedback(run=run, by=reader, verdict=Thumb.UP)

    take_back_feedback(run=run, by=ada)
    take_back_feedback(run=run, by=ada)

    assert Feedback.objects.get().by == bob


def test_judgements_go_with_their_run(ada: User) -> None:
    run = make_blind_run(ada)
    pick_answer(run=fresh(run), by=ada, outcome=EQUAL)
    give_feedback(run=run, by=ada, verdict=Thumb.UP)

    run.delete()

    assert not AnswerPick.objects.exists()
    assert not Feedback.objects.exists()
