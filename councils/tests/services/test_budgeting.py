"""What budgets hold for a question before it starts, and what a refusal says."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from councils.engine.types import RunStatus, StepStatus
from councils.models import (
    ApiKey,
    AtLimit,
    Budget,
    BudgetAccount,
    BudgetHold,
    BudgetPeriod,
    CouncilConfiguration,
    CouncilRun,
    ModelInfo,
    User,
)
from councils.services.asking import ask_council, cancel_run, snapshot_to_ask
from councils.services.budgeting import Standing, standings_for
from councils.services.errors import BudgetExceeded
from councils.services.estimating import Estimate, Matter, estimate_run
from councils.services.repeating import retry_run
from councils.tests.factories import RunPlan, make_council, make_run, make_user

pytestmark = pytest.mark.django_db

QUESTION = "Which is best?"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council()


@pytest.fixture
def estimate(council: CouncilConfiguration) -> Estimate:
    return estimate_run(snapshot_to_ask(council, seed="seed"), Matter(question=QUESTION))


def held() -> dict[str, Decimal]:
    """What each budget holds, by its scope."""
    return {account.budget.scope_kind: account.reserved_usd for account in BudgetAccount.objects.select_related("budget")}


def test_a_refusing_budget_holds_the_upper_estimate_and_a_partial_one_the_expected(
    user: User, council: CouncilConfiguration, estimate: Estimate
) -> None:
    Budget.objects.create(limit_usd=Decimal(9), at_limit=AtLimit.REFUSE)
    Budget.objects.create(limit_usd=Decimal(9), at_limit=AtLimit.PARTIAL, user=user)

    run, _ = ask_council(by=user, council=council, question=QUESTION)

    assert held() == {"everybody": estimate.high, "user": estimate.expected}
    assert BudgetHold.objects.filter(run=run).count() == 2


def test_only_the_budgets_that_bind_this_question_hold_it(user: User, council: CouncilConfiguration) -> None:
    key, other = (ApiKey.issue(user=user, name=name)[0] for name in ("mine", "other"))
    for scope in ({"user": make_user()}, {"council": make_council()}, {"api_key": other}, {"user": user, "is_active": False}):
        Budget.objects.create(limit_usd=Decimal(0), **scope)
    Budget.objects.create(limit_usd=Decimal(9), api_key=key)

    ask_council(by=key, council=council, question=QUESTION)

    assert list(held()) == ["api_key"]


@pytest.mark.parametrize("scope", ["everybody", "user", "council"])
@pytest.mark.parametrize("at_limit", AtLimit)
def test_each_kind_of_budget_refuses_what_it_cannot_pay(user: User, council: CouncilConfiguration, scope: str, at_limit: AtLimit) -> None:
    scopes: dict[str, dict[str, Any]] = {"everybody": {}, "user": {"user": user}, "council": {"council": council}}
    Budget.objects.create(limit_usd=Decimal("0.0001"), at_limit=at_limit, **scopes[scope])

    with pytest.raises(BudgetExceeded) as refusal:
        ask_council(by=user, council=council, question=QUESTION)

    assert refusal.value.facts["budget"] == scope
    assert not CouncilRun.objects.exists()
    assert held() == {scope: Decimal(0)}


def test_a_refusal_by_one_budget_leaves_nothing_held_by_others(user: User, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=Decimal(9))
    Budget.objects.create(limit_usd=Decimal(0), user=user)

    with pytest.raises(BudgetExceeded):
        ask_council(by=user, council=council, question=QUESTION)

    assert set(held().values()) == {Decimal(0)}
    assert not user.conversations.exists()


def test_the_sentence_says_which_budget_what_is_left_and_when_it_renews(user: User, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=Decimal("0.01"), council=council, at_limit=AtLimit.PARTIAL, period=BudgetPeriod.DAY)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)

    with pytest.raises(BudgetExceeded) as refusal:
        ask_council(by=user, council=council, question="Which is best? " * 900)

    assert "It is expected to cost" in refusal.value.message
    assert f"0.0100 USD of 0.0100 USD are left today (the budget of {council.name})." in refusal.value.message
    assert "Not even the whole budget pays for it: ask a council that costs less" in refusal.value.message
    assert datetime.fromisoformat(refusal.value.facts["renews_at"]).date() == tomorrow


def test_a_cost_that_cannot_be_estimated_is_refused_under_a_budget(user: User, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=Decimal(9))
    ModelInfo.objects.update(cost_per_1k_output_tokens=None)

    with pytest.raises(Exception, match="price"):
        ask_council(by=user, council=council, question=QUESTION)
    assert not CouncilRun.objects.exists()


def test_free_councils_start_whatever_is_left_and_make_no_account(user: User, council: CouncilConfiguration) -> None:
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)
    Budget.objects.create(limit_usd=Decimal(0))

    run, _ = ask_council(by=user, council=council, question=QUESTION)

    assert not run.holds.exists()
    assert not BudgetAccount.objects.exists()


def test_one_key_sent_twice_is_held_once(user: User, council: CouncilConfiguration, estimate: Estimate) -> None:
    Budget.objects.create(limit_usd=Decimal(9))

    for _ in range(3):
        ask_council(by=user, council=council, question=QUESTION, idempotency_key="same")

    assert held() == {"everybody": estimate.high}


def test_a_cancelled_question_leaves_room_for_the_next(user: User, council: CouncilConfiguration, estimate: Estimate) -> None:
    assert estimate.high is not None
    Budget.objects.create(limit_usd=estimate.high.quantize(Decimal("0.0001")) + Decimal("0.0001"))

    for _ in range(3):
        run, _ = ask_council(by=user, council=council, question=QUESTION)
        with pytest.raises(BudgetExceeded):
            ask_council(by=user, council=council, question=QUESTION)
        cancel_run(run=run, by=user)


def test_a_retry_holds_only_what_it_does_not_keep(user: User, council: CouncilConfiguration, estimate: Estimate) -> None:
    done, failed = StepStatus.DONE, StepStatus.FAILED
    plan = RunPlan(opinions=(done,) * 4, reviews=(done,) * 4, counted=True, synthesis=failed)
    run = make_run(owner=user, council=council, status=RunStatus.PARTIAL, plan=plan)
    Budget.objects.create(limit_usd=Decimal(9))

    retry_run(by=user, run=CouncilRun.objects.with_details().get(pk=run.pk))

    assert estimate.high is not None
    assert 0 < held()["everybody"] < estimate.high / 3


@pytest.mark.parametrize(
    ("period", "start", "renews"),
    [
        (BudgetPeriod.DAY, date(2026, 2, 28), datetime(2026, 3, 1, tzinfo=UTC)),
        (BudgetPeriod.MONTH, date(2026, 12, 1), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_budget_renews_with_the_next_period(period: BudgetPeriod, start: date, renews: datetime) -> None:
    budget = Budget(limit_usd=Decimal(1), period=period)

    assert Standing(budget=budget, account=BudgetAccount(budget=budget, period_start=start)).renews_at == renews


def test_the_tightest_budget_comes_first(user: User) -> None:
    wide = Budget.objects.create(limit_usd=Decimal(9))
    narrow = Budget.objects.create(limit_usd=Decimal(2), user=user)

    assert [standing.budget for standing in standings_for(by=user)] == [narrow, wide]
