"""Trials: a draft is asked as it says, paid like any question, seen by staff only and counted by no statistic."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from benchmarks.fake.server import Running
from benchmarks.staging import fake_model, stage_council
from councils.models import Budget, BudgetAccount, Conversation, CouncilConfiguration, CouncilRun, Side, Thumb, Trial, User
from councils.runner.host import EngineHost
from councils.services import budgeting, trying
from councils.services.asking import snapshot_to_ask
from councils.services.drafting import document_of, keep_draft
from councils.services.errors import BudgetExceeded, CouncilUnavailable, EmptyQuestion, NothingToJudge, NotRepeatable, TooManyQuestions
from councils.services.estimating import past_of
from councils.services.expecting import expectations
from councils.services.judging import give_feedback
from councils.services.repeating import ask_again, choices_for
from councils.services.trying import MOST_QUESTIONS, Plan, cancel_trial, estimate_trial, plan_trial, start_trial
from councils.store.budgets import open_accounts
from councils.tests.durability.support import ended
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return make_user("root", is_staff=True, is_superuser=True)


def plan_of(council: CouncilConfiguration, root: User, *questions: str, compare: bool = True, **changes: Any) -> Plan:
    draft = keep_draft(council=council, document=document_of(council) | changes, by=root, name="Warmer")
    return plan_trial(council=council, draft=draft, questions=questions or ("Which is best?",), compare=compare)


def runs_of(trial: Trial) -> dict[str, CouncilRun]:
    return {row.side: row.run for row in trial.runs.select_related("run", "run__conversation")}


def test_each_side_is_asked_by_its_own_snapshot_with_one_seed(root: User) -> None:
    council = make_council()

    runs = runs_of(start_trial(plan_of(council, root, quorum=4), by=root))

    specs = {side: run.config_snapshot["spec"] for side, run in runs.items()}
    assert (specs["draft"]["quorum"], specs["published"]["quorum"]) == (4, 2)
    assert specs["draft"]["seed"] == specs["published"]["seed"] != ""
    assert {run.config_snapshot["cache"] for run in runs.values()} == {"off"}
    assert snapshot_to_ask(council, seed="").spec.quorum == 2


@pytest.mark.django_db(transaction=True)
def test_a_draft_is_asked_for_real_and_the_council_stays_as_it_is(root: User, fake_provider: Running, engine: EngineHost) -> None:
    seats = [fake_model(fake_provider.url, f"tokens=20,rate=5000,name=s{n}") for n in range(3)]
    council = stage_council(seats)

    runs = runs_of(start_trial(plan_of(council, root, enable_peer_review=False), by=root))

    done = {side: ended(run) for side, run in runs.items()}
    assert {run.status for run in done.values()} == {"succeeded"}, [run.reason for run in done.values()]
    assert not done["draft"].steps.filter(key="tally").exists()
    assert done["published"].steps.filter(key="tally").exists()
    assert all(run.known_cost_usd > 0 for run in done.values())


def test_trials_are_no_conversations_and_only_staff_see_them(root: User) -> None:
    council = make_council()
    run = runs_of(start_trial(plan_of(council, root), by=root))["draft"]

    assert not Conversation.objects.visible_to(root).exists()
    assert CouncilRun.objects.visible_to(root).filter(pk=run.pk).exists()
    assert not CouncilRun.objects.visible_to(make_user()).exists()
    root.is_staff = False
    assert not CouncilRun.objects.visible_to(root).exists()


def test_no_statistic_of_the_council_counts_a_trial() -> None:
    council = make_council()
    make_run(council=council, trial=True)
    details = CouncilConfiguration.objects.with_details().get(pk=council.pk)

    assert past_of(council.pk) == {}
    assert expectations([details])[council.pk].runs == 0
    make_run(council=council)
    assert past_of(council.pk) != {}
    assert expectations([details])[council.pk].runs == 1


def test_a_trial_cannot_be_gone_on_with_or_judged(root: User) -> None:
    run = make_run(owner=root, trial=True)

    assert not choices_for(run)
    with pytest.raises(NotRepeatable):
        ask_again(by=root, run=run)
    with pytest.raises(NothingToJudge):
        give_feedback(run=run, by=root, verdict=Thumb.UP)


def test_accounts_of_budgets_are_opened_before_anything_is_held(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    council, depths = make_council(), []
    Budget.objects.create(council=council, limit_usd=100)

    def opened(*args: Any) -> list[BudgetAccount]:
        depths.append(len(connection.atomic_blocks))
        return open_accounts(*args)

    monkeypatch.setattr(budgeting, "open_accounts", opened)
    start_trial(plan_of(council, root, "Which?", "Why?"), by=root)

    assert depths == [len(connection.atomic_blocks)] * 4


def test_a_budget_that_cannot_pay_for_all_of_it_lets_none_of_it_start(root: User) -> None:
    council = make_council()
    plan = plan_of(council, root, *["Which is best?"] * 4)
    most = estimate_trial(plan)[Side.DRAFT].high
    assert most is not None
    Budget.objects.create(council=council, limit_usd=most)

    with pytest.raises(BudgetExceeded):
        start_trial(plan, by=root)
    assert not CouncilRun.objects.exists()
    assert not Trial.objects.exists()


def test_the_cost_is_told_by_side_for_all_questions(root: User) -> None:
    council = make_council()
    one = estimate_trial(plan_of(council, root, enable_peer_review=False))
    two = estimate_trial(plan_of(council, root, "Which is best?", "Which is best?", enable_peer_review=False))

    assert set(one) == {Side.DRAFT, Side.PUBLISHED}
    assert Decimal(0) < (one[Side.DRAFT].expected or 0) < (one[Side.PUBLISHED].expected or 0)
    assert two[Side.DRAFT].high == 2 * (one[Side.DRAFT].high or 0)


def test_what_cannot_be_asked_is_refused_before_anything_is_stored(root: User) -> None:
    council = make_council(seats=2, min_models=3, is_active=False)

    with pytest.raises(CouncilUnavailable, match="at least 3"):
        estimate_trial(Plan(council=council, draft=None, questions=["Which is best?"]))
    with pytest.raises(EmptyQuestion):
        plan_trial(council=council, draft=None, questions=[" "], compare=False)
    with pytest.raises(EmptyQuestion):
        plan_trial(council=council, draft=None, questions=[], compare=False)
    with pytest.raises(TooManyQuestions):
        plan_trial(council=council, draft=None, questions=["Why?"] * (MOST_QUESTIONS + 1), compare=False)


def test_a_council_that_is_switched_off_can_be_tried(root: User) -> None:
    council = make_council(is_active=False)

    trial = start_trial(plan_trial(council=council, draft=None, questions=["Which is best?"], compare=True), by=root)

    assert list(runs_of(trial)) == [Side.PUBLISHED]


def test_cancelling_a_trial_stops_all_that_runs_of_it(root: User) -> None:
    trial = start_trial(plan_of(make_council(), root, "One?", "Two?"), by=root)

    assert cancel_trial(trial, by=root) == 4
    assert {run.status for run in CouncilRun.objects.all()} == {"cancelled"}
    assert cancel_trial(trial, by=root) == 0


def test_of_two_starts_at_the_same_moment_the_second_gets_the_trial_of_the_first(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    start_all, first = trying._start_all, []

    def overtaken(plan: Plan, *, by: User, deed: str | None) -> Trial:
        first.append(start_all(plan, by=by, deed=deed))
        return start_all(plan, by=by, deed=deed)

    monkeypatch.setattr(trying, "_start_all", overtaken)

    assert [start_trial(plan_of(make_council(), root), by=root, nonce="one")] == first
    assert (Trial.objects.count(), CouncilRun.objects.count()) == (1, 2)


def test_what_two_people_start_are_two_trials(root: User) -> None:
    plan, other = plan_of(make_council(), root), make_user("other", is_staff=True, is_superuser=True)

    assert start_trial(plan, by=root, nonce="one") != start_trial(plan, by=other, nonce="one")
