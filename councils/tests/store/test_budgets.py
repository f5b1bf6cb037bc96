"""Budgets hold an upper estimate before money is spent, and the exact cost afterwards, in every account that a run counts against."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from councils.models import ApiKey, Budget, BudgetAccount, BudgetHold, BudgetPeriod, CallStatus, CouncilRun, ModelCall, RunStep
from councils.models.budget import MOST_USD, to_units, to_usd
from councils.store.budgets import BudgetExhausted, Hold, Position, open_accounts, set_aside, tie
from councils.store.calls import Begun, begin_call
from councils.store.claims import orphan_calls_of_ended_run, stray_calls
from councils.store.runs import cancel
from councils.tests.factories import make_run, make_user
from councils.tests.store.support import ANSWERED, FAILED, Owner, done, ref

pytestmark = pytest.mark.django_db

KEY = "opinion:agent_1"
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


def make_account(limit: str = "10", **fields: Any) -> BudgetAccount:
    budget = Budget.objects.create(limit_usd=Decimal(limit), **{"period": BudgetPeriod.DAY, **fields})
    return open_accounts([budget], NOON)[0]


def bind(run: CouncilRun, *accounts: BudgetAccount, set_aside_usd: str = "0") -> None:
    """Tie the run to these accounts as the door that asks does."""
    wishes = {account.pk: Decimal(set_aside_usd) for account in accounts}
    set_aside(wishes, {account.pk: account.budget.limit_usd for account in accounts})
    tie(run, wishes)


def state(account: BudgetAccount) -> tuple[Decimal, Decimal]:
    """(spent, reserved) in USD."""
    account.refresh_from_db()
    return account.spent_usd, account.reserved_usd


def begin(owner: Owner, key: str = KEY, *, at_most: str = "1", attempt: int = 1) -> Begun:
    return begin_call(owner.claim, ref(key), owner.target, attempt=attempt, at_most_usd=Decimal(at_most))


def money(*amounts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


@pytest.fixture
def account(run: CouncilRun) -> BudgetAccount:
    made = make_account()
    bind(run, made)
    return made


@pytest.fixture
def payer(run: CouncilRun, account: BudgetAccount) -> Owner:
    """An owner of a run that one budget of 10 USD a day pays for, with nothing set aside."""
    return Owner.of(run)


def test_a_call_holds_its_upper_estimate_while_it_is_under_way(payer: Owner, account: BudgetAccount) -> None:
    begun = begin(payer, at_most="0.75")

    assert state(account) == money("0", "0.75")
    assert ModelCall.objects.get(pk=begun.call_pk).reserved_usd == Decimal("0.75")


def test_a_booked_call_is_charged_what_it_cost_and_holds_nothing(payer: Owner, account: BudgetAccount) -> None:
    payer.settle(KEY, begin(payer), ANSWERED, done())

    assert state(account) == money("0.5", "0")


def test_a_call_that_costs_more_than_was_held_is_charged_in_full(payer: Owner, account: BudgetAccount) -> None:
    payer.settle(KEY, begin(payer, at_most="0.1"), replace(ANSWERED, cost_usd=Decimal(30)), done())

    assert state(account) == money("30", "0")


def test_no_call_begins_that_an_account_cannot_hold(payer: Owner, account: BudgetAccount) -> None:
    begin(payer, at_most="9.5")

    with pytest.raises(BudgetExhausted):
        begin(payer, "opinion:agent_2", at_most="0.50000001")
    assert state(account) == money("0", "9.5")
    assert ModelCall.objects.count() == 1
    assert not RunStep.objects.filter(key="opinion:agent_2").exists()


def test_a_call_may_take_the_last_unit(payer: Owner, account: BudgetAccount) -> None:
    begin(payer, at_most="9.99999999")
    begin(payer, "opinion:agent_2", at_most="0.00000001")

    assert state(account) == money("0", "10")


def test_all_budgets_must_hold_and_none_keeps_what_another_refused(run: CouncilRun) -> None:
    wide, narrow = make_account("100"), make_account("1", user=run.owner)
    bind(run, wide, narrow)
    owner = Owner.of(run)

    with pytest.raises(BudgetExhausted) as refusal:
        begin(owner, at_most="2")

    assert refusal.value.account == narrow.pk
    assert (state(wide), state(narrow)) == (money("0", "0"), money("0", "0"))


def test_a_call_is_charged_to_every_budget(run: CouncilRun) -> None:
    accounts = [make_account("100"), make_account("5", user=run.owner), make_account("7", council=run.council, period=BudgetPeriod.MONTH)]
    bind(run, *accounts)
    owner = Owner.of(run)

    owner.settle(KEY, begin(owner), ANSWERED, done())

    assert [state(account) for account in accounts] == [money("0.5", "0")] * 3


def test_free_calls_touch_no_account(payer: Owner, account: BudgetAccount) -> None:
    BudgetAccount.objects.update(spent=to_units(Decimal(11)))

    payer.settle(KEY, begin(payer, at_most="0"), replace(ANSWERED, cost_usd=Decimal(0)), done())

    assert state(account) == money("11", "0")


def test_a_call_of_unknown_price_does_not_begin_under_a_budget(payer: Owner) -> None:
    with pytest.raises(BudgetExhausted):
        begin_call(payer.claim, ref(KEY), payer.target, attempt=1, at_most_usd=None)


def test_a_call_of_unknown_price_begins_where_no_budget_holds(owner: Owner) -> None:
    assert begin_call(owner.claim, ref(KEY), owner.target, attempt=1, at_most_usd=None).reserved_usd == 0


def test_a_refused_or_cancelled_call_gives_back_what_it_held(payer: Owner, account: BudgetAccount) -> None:
    payer.settle(KEY, begin(payer), FAILED)
    payer.settle(KEY, begin(payer, attempt=2), replace(FAILED, status=CallStatus.CANCELLED))

    assert state(account) == money("0", "0")


def test_booking_twice_moves_the_account_once(payer: Owner, account: BudgetAccount) -> None:
    begun = begin(payer)
    for _ in range(2):
        payer.settle(KEY, begun, ANSWERED, done())

    assert state(account) == money("0.5", "0")


def test_an_orphan_keeps_its_estimate_until_its_cost_is_known(payer: Owner, run: CouncilRun, account: BudgetAccount) -> None:
    begun = begin(payer)
    Owner.of(run, worker="second").finish()
    assert state(account) == money("0", "1")

    payer.settle(KEY, begun, ANSWERED, done())

    assert state(account) == money("0.5", "0")


def test_a_call_whose_cost_stays_unknown_keeps_its_estimate(payer: Owner, account: BudgetAccount) -> None:
    payer.settle(KEY, begin(payer), replace(ANSWERED, cost_usd=None), done())

    assert state(account) == money("0", "1")


def test_a_call_left_open_by_a_run_that_was_cancelled_keeps_its_estimate(payer: Owner, run: CouncilRun, account: BudgetAccount) -> None:
    begin(payer)
    cancel(run.pk, by=None)
    for run_pk, calls in stray_calls().items():
        orphan_calls_of_ended_run(run_pk, calls)

    assert state(account) == money("0", "1")


def test_what_was_set_aside_is_held_from_the_start_and_free_at_the_end(run: CouncilRun) -> None:
    account = make_account()
    bind(run, account, set_aside_usd="3")
    assert state(account) == money("0", "3")

    owner = Owner.of(run)
    owner.settle(KEY, begin(owner), ANSWERED, done())
    assert state(account) == money("0.5", "2.5")

    owner.finish()
    assert state(account) == money("0.5", "0")


def test_a_cancelled_run_gives_back_what_was_set_aside(run: CouncilRun) -> None:
    account = make_account()
    bind(run, account, set_aside_usd="3")

    cancel(run.pk, by=None)

    assert state(account) == money("0", "0")


def test_calls_within_what_was_set_aside_begin_although_others_used_up_the_rest(run: CouncilRun) -> None:
    account = make_account()
    bind(run, account, set_aside_usd="3")
    owner = Owner.of(run)
    BudgetAccount.objects.update(spent=to_units(Decimal(7)))

    begin(owner, at_most="2")
    begin(owner, "opinion:agent_2", at_most="1")

    with pytest.raises(BudgetExhausted):
        begin(owner, "opinion:agent_3", at_most="0.01")


def test_calls_beyond_what_was_set_aside_hold_only_the_difference(run: CouncilRun) -> None:
    account = make_account()
    bind(run, account, set_aside_usd="1")
    owner = Owner.of(run)

    begin(owner, at_most="2.5")

    assert state(account) == money("0", "2.5")


def test_a_run_cannot_set_aside_what_is_not_there() -> None:
    account = make_account("10")
    set_aside({account.pk: Decimal(6)}, {account.pk: Decimal(10)})

    with pytest.raises(BudgetExhausted):
        set_aside({account.pk: Decimal(6)}, {account.pk: Decimal(10)})
    assert state(account) == money("0", "6")


def test_a_raised_limit_counts_for_runs_under_way(payer: Owner, account: BudgetAccount) -> None:
    Budget.objects.update(limit_usd=Decimal(100))

    begin(payer, at_most="50")

    assert state(account) == money("0", "50")


def test_a_budget_that_was_switched_off_refuses_nothing_and_still_counts(payer: Owner, account: BudgetAccount) -> None:
    Budget.objects.update(is_active=False, limit_usd=Decimal(0))

    payer.settle(KEY, begin(payer, at_most="50"), ANSWERED, done())

    assert state(account) == money("0.5", "0")


def test_a_budget_that_was_deleted_stops_nothing(payer: Owner) -> None:
    Budget.objects.all().delete()

    payer.settle(KEY, begin(payer, at_most="50"), ANSWERED, done())

    assert payer.finish()


def test_a_run_without_budgets_touches_no_account(owner: Owner) -> None:
    other = make_account()

    owner.settle(KEY, begin(owner), ANSWERED, done())

    assert state(other) == money("0", "0")
    assert not BudgetHold.objects.exists()


def test_a_result_that_cannot_be_stored_moves_no_account(payer: Owner, account: BudgetAccount) -> None:
    begun = begin(payer)

    with pytest.raises(TypeError):
        payer.settle(KEY, begun, ANSWERED, replace(done(), payload={"not": {"json"}}))
    assert state(account) == money("0", "1")


def test_sums_of_tenths_are_exact(payer: Owner, account: BudgetAccount) -> None:
    for number in range(1, 31):
        payer.settle(KEY, begin(payer, at_most="0.1", attempt=number), replace(FAILED, cost_usd=Decimal("0.1")))

    assert state(account) == money("3", "0")


def test_a_new_period_is_a_new_account_and_the_old_one_stays() -> None:
    budget = Budget.objects.create(limit_usd=Decimal(1), period=BudgetPeriod.MONTH)

    (march,) = open_accounts([budget], NOON)
    (april,) = open_accounts([budget], datetime(2026, 4, 1, tzinfo=UTC))

    assert (march.period_start, april.period_start) == (date(2026, 3, 1), date(2026, 4, 1))
    assert open_accounts([budget], NOON) == [march]


@pytest.mark.parametrize(
    ("period", "moment", "start", "end"),
    [
        (BudgetPeriod.DAY, "2026-02-28T23:59:59+00:00", date(2026, 2, 28), date(2026, 3, 1)),
        (BudgetPeriod.DAY, "2026-03-01T00:30:00+02:00", date(2026, 2, 28), date(2026, 3, 1)),
        (BudgetPeriod.MONTH, "2026-12-31T23:59:59+00:00", date(2026, 12, 1), date(2027, 1, 1)),
        (BudgetPeriod.MONTH, "2027-01-01T01:00:00+02:00", date(2026, 12, 1), date(2027, 1, 1)),
    ],
)
def test_periods_are_those_of_utc(period: BudgetPeriod, moment: str, start: date, end: date) -> None:
    assert period.start(datetime.fromisoformat(moment)) == start
    assert period.end(start) == end


def test_the_scopes_that_bind_a_run_are_found() -> None:
    somebody, other = make_user(), make_user()
    mine, everybody = (Budget.objects.create(limit_usd=1, user=user) for user in (somebody, None))
    Budget.objects.create(limit_usd=1, user=other)
    Budget.objects.create(limit_usd=1, user=somebody, period=BudgetPeriod.DAY, is_active=False)

    assert set(Budget.objects.binding(user_id=somebody.pk, council_id=None, api_key_id=None)) == {mine, everybody}


@pytest.mark.parametrize(("spent", "open_", "held"), [("0", "0", "3"), ("1", "0.5", "2"), ("2", "2", "2"), ("5", "0", "0")])
def test_what_is_held_is_the_rest_that_was_set_aside_or_the_open_calls(spent: str, open_: str, held: str) -> None:
    position = Position(Decimal(spent), Decimal(open_), is_live=True)

    assert position.held(Hold(1, Decimal(3))) == Decimal(held)
    assert replace(position, is_live=False).held(Hold(1, Decimal(3))) == Decimal(open_)


@pytest.mark.parametrize("amount", ["0", "0.00000001", "123456789.12345678"])
def test_units_are_exact(amount: str) -> None:
    assert to_usd(to_units(Decimal(amount))) == Decimal(amount)


def asked(run: CouncilRun, at: datetime, *, cost: str, **fields: Any) -> None:
    """A run of that moment with this cost."""
    CouncilRun.objects.filter(pk=run.pk).update(created_at=at, known_cost_usd=Decimal(cost), **fields)


@pytest.mark.parametrize(
    ("period", "at", "opening"),
    [
        (BudgetPeriod.DAY, NOON, "0.1"),
        (BudgetPeriod.DAY, NOON.replace(hour=0), "0.1"),
        (BudgetPeriod.DAY, NOON.replace(day=30), "0"),
        (BudgetPeriod.MONTH, NOON.replace(day=1, hour=0), "0.1"),
        (BudgetPeriod.MONTH, NOON.replace(month=2, day=28, hour=23), "0"),
    ],
)
def test_a_new_account_begins_with_what_the_runs_of_its_period_have_cost(
    run: CouncilRun, period: BudgetPeriod, at: datetime, opening: str
) -> None:
    asked(run, at, cost="0.1")

    account = make_account(period=period)

    assert state(account) == money(opening, "0")
    assert account.opening_usd == Decimal(opening)


@pytest.mark.parametrize(("scope", "counts"), [({}, True), ({"user": 1}, True), ({"user": 2}, False), ({"council": 1}, True)])
def test_a_new_account_begins_with_runs_of_its_scope_alone(run: CouncilRun, scope: dict[str, int], counts: bool) -> None:
    asked(run, NOON, cost="0.7")
    people = {1: run.owner, 2: make_user()}
    given = {"user": people[scope["user"]]} if "user" in scope else {"council": run.council} if scope else {}

    assert make_account(**given).spent_usd == (Decimal("0.7") if counts else 0)


def test_a_budget_of_a_key_begins_with_what_was_asked_with_the_key(run: CouncilRun) -> None:
    key, _ = ApiKey.issue(user=run.owner, name="nightly")
    other, _ = ApiKey.issue(user=run.owner, name="other")
    asked(run, NOON, cost="0.7", api_key=key)

    assert [make_account(api_key=one).spent_usd for one in (key, other)] == [Decimal("0.7"), Decimal(0)]


def test_a_run_that_is_stored_after_midnight_counts_in_the_day_that_paid_for_it_alone(run: CouncilRun) -> None:
    midnight = NOON.replace(day=31, hour=0)
    budget = Budget.objects.create(limit_usd=10, period=BudgetPeriod.DAY)
    (day_before,) = open_accounts([budget], midnight - timedelta(seconds=1))
    bind(run, day_before)
    payer = Owner.of(run)
    payer.settle(KEY, begin(payer), ANSWERED, done())
    CouncilRun.objects.filter(pk=run.pk).update(created_at=midnight)

    (account,) = open_accounts([budget], midnight)

    assert [state(one) for one in (day_before, account)] == [money("0.5", "0"), money("0", "0")]


def test_opening_sums_are_exact() -> None:
    for number in range(30):
        asked(make_run(), NOON, cost="0.1" if number % 2 else "0.00000001")

    assert make_account().spent_usd == Decimal("1.50000015")


def test_an_account_that_is_there_is_not_opened_again(run: CouncilRun) -> None:
    account = make_account()
    asked(run, NOON, cost="0.7")

    assert [row.spent_usd for row in open_accounts([account.budget], NOON)] == [0]


def test_more_runs_take_no_more_queries_to_open_an_account() -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            make_account(user=make_user())
        return len(queries)

    few = cost()
    for _ in range(3):
        asked(make_run(), NOON, cost="0.1")
    assert cost() == few


def _statements(captured: Sequence[dict[str, str]]) -> list[str]:
    return [query["sql"].split()[0] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]


@pytest.mark.parametrize(("budgets", "first", "settled"), [(0, 6, 6), (1, 6, 7), (3, 6, 9)])
def test_what_a_call_costs_the_database(run: CouncilRun, budgets: int, first: int, settled: int) -> None:
    scopes: list[dict[str, Any]] = [{}, {"user": run.owner}, {"council": run.council}]
    accounts = [make_account("50", **scope) for scope in scopes[:budgets]]
    bind(run, *accounts, set_aside_usd="10")
    owner = Owner.of(run)
    with CaptureQueriesContext(connection) as begins:
        begun = begin(owner)
    with CaptureQueriesContext(connection) as settles:
        owner.settle(KEY, begun, ANSWERED, done())

    # On PostgreSQL the accounts are locked first, by one more.
    locks = 1 if budgets and connection.features.has_select_for_update else 0
    assert len(_statements(begins.captured_queries)) == first + locks
    assert len(_statements(settles.captured_queries)) == settled + locks


def test_a_call_that_could_cost_more_than_can_be_written_down_is_refused(run: CouncilRun) -> None:
    bind(run, make_account("999999999"))
    payer = Owner.of(run)

    begin(payer, at_most=str(MOST_USD))
    for beyond in ("0.00000001", "1e15"):
        with pytest.raises(BudgetExhausted):
            begin(payer, "opinion:agent_2", at_most=beyond)
