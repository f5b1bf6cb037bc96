"""Calls that died with their owner: staff say what is booked, once, and what budgets held is free again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from councils.models import Budget, BudgetAccount, CouncilRun, ModelCall, RunStep
from councils.services.asking import ask_council
from councils.services.correcting import Settlement, settle_cost
from councils.services.reconciling import differences
from councils.store.calls import Begun
from councils.store.runs import cancel
from councils.tests.factories import make_council, make_user
from councils.tests.store.support import ANSWERED, Owner, amounts, call_of, done
from councils.tests.store.test_budgets import KEY, begin, bind, make_account, money, state

pytestmark = pytest.mark.django_db

HELD = Decimal("0.75")


@pytest.fixture
def run() -> CouncilRun:
    return ask_council(by=make_user(), council=make_council(), question="Which is best?")[0]


@pytest.fixture
def account(run: CouncilRun) -> BudgetAccount:
    made = make_account()
    bind(run, made)
    return made


@pytest.fixture
def lost(run: CouncilRun, account: BudgetAccount) -> tuple[Owner, Begun]:
    """A call that was under way when its owner died, in a run that another has ended; a budget held 0.75 USD for it."""
    first = Owner.of(run)
    begun = begin(first, at_most=str(HELD))
    Owner.of(run, worker="second").finish()
    return first, begun


def settle(begun: Begun, settlement: Settlement) -> Decimal | None:
    return settle_cost(call=call_of(begun), settlement=settlement)


@pytest.mark.parametrize(("settlement", "booked"), [(Settlement.NOTHING, Decimal(0)), (Settlement.ESTIMATED, HELD)])
def test_a_lost_call_is_booked_as_staff_say(
    lost: tuple[Owner, Begun], account: BudgetAccount, settlement: Settlement, booked: Decimal
) -> None:
    first, begun = lost
    assert state(account) == (Decimal(0), HELD)

    assert settle(begun, settlement) == booked

    assert amounts(begun) == [("charged", None), ("corrected", booked)]
    assert state(account) == (booked, Decimal(0))
    run = first.run
    run.refresh_from_db()
    assert (run.known_cost_usd, run.unknown_costs, run.open_usd, run.cost_usd) == (booked, 0, Decimal(0), booked)
    assert call_of(begun).usage_source == ("estimated" if settlement is Settlement.ESTIMATED else "")
    assert differences() == []


@pytest.mark.parametrize("again", list(Settlement))
def test_booking_it_again_does_nothing(lost: tuple[Owner, Begun], account: BudgetAccount, again: Settlement) -> None:
    settle(lost[1], Settlement.ESTIMATED)

    assert settle(lost[1], again) is None
    assert (len(amounts(lost[1])), state(account)) == (2, (HELD, Decimal(0)))


def test_what_staff_booked_stands_when_the_owner_wakes_up(lost: tuple[Owner, Begun], account: BudgetAccount) -> None:
    first, begun = lost
    settle(begun, Settlement.NOTHING)

    assert first.settle(KEY, begun, ANSWERED, done()) == (False, [])

    assert amounts(begun) == [("charged", None), ("corrected", Decimal(0))]
    assert state(account) == money("0", "0")
    assert differences() == []


def test_what_the_owner_booked_late_stands_against_staff(lost: tuple[Owner, Begun], account: BudgetAccount) -> None:
    first, begun = lost
    first.settle(KEY, begun, ANSWERED, done())

    assert settle(begun, Settlement.NOTHING) is None
    assert state(account) == money("0.5", "0")


def test_an_owner_that_wakes_up_and_knows_no_cost_leaves_it_to_staff(lost: tuple[Owner, Begun], account: BudgetAccount) -> None:
    first, begun = lost
    first.settle(KEY, begun, replace(ANSWERED, cost_usd=None), done())
    assert amounts(begun) == [("charged", None)]

    assert settle(begun, Settlement.ESTIMATED) == HELD
    assert differences() == []


def test_a_call_of_a_run_that_goes_on_may_yet_come_home(run: CouncilRun, account: BudgetAccount) -> None:
    begun = begin(Owner.of(run))
    Owner.of(run, worker="second")

    assert settle(begun, Settlement.NOTHING) is None
    assert not ModelCall.objects.of_unknown_cost().exists()
    assert state(account) == money("0", "1")


def test_a_call_under_way_in_a_cancelled_run_is_left_alone(run: CouncilRun, account: BudgetAccount) -> None:
    begun = begin(Owner.of(run))
    cancel(run.pk, by=None)

    assert settle(begun, Settlement.NOTHING) is None
    assert state(account) == money("0", "1")


def test_without_an_estimate_it_cannot_be_booked_as_estimated(run: CouncilRun) -> None:
    begun = Owner.of(run).begin(KEY)
    Owner.of(run, worker="second").finish()

    assert settle(begun, Settlement.ESTIMATED) is None
    assert settle(begun, Settlement.NOTHING) == 0


def test_a_call_whose_budget_is_gone_is_booked(lost: tuple[Owner, Begun]) -> None:
    Budget.objects.all().delete()

    assert settle(lost[1], Settlement.ESTIMATED) == HELD


def test_the_texts_of_the_run_stay_as_they_are(lost: tuple[Owner, Begun]) -> None:
    before = list(RunStep.objects.values_list("key", "status", "text"))

    settle(lost[1], Settlement.ESTIMATED)

    assert list(RunStep.objects.values_list("key", "status", "text")) == before


@pytest.mark.django_db(transaction=True)
def test_of_many_staff_who_book_the_same_call_at_once_one_does(lost: tuple[Owner, Begun], account: BudgetAccount) -> None:
    gate = Barrier(8)

    def book(number: int) -> Decimal | None:
        gate.wait()
        try:
            return settle(lost[1], Settlement.ESTIMATED if number % 2 else Settlement.NOTHING)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        booked = [amount for amount in pool.map(book, range(8)) if amount is not None]

    assert len(booked) == 1
    assert amounts(lost[1]) == [("charged", None), ("corrected", booked[0])]
    assert state(account) == (booked[0], Decimal(0))
    assert differences() == []
