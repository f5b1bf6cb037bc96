"""The accounts of budgets against the ledger, whatever happens to runs."""

from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from councils.models import AtLimit, Budget, BudgetAccount, BudgetPeriod, CallStatus, CouncilConfiguration, CouncilRun, ModelCall
from councils.services.asking import ask_council
from councils.services.correcting import Settlement, settle_cost
from councils.services.reconciling import differences
from councils.store.budgets import BudgetExhausted
from councils.store.calls import Begun, begin_call
from councils.store.claims import orphan_calls_of_ended_run, stray_calls
from councils.store.runs import cancel
from councils.tests.factories import make_council, make_user
from councils.tests.store.support import ANSWERED, FAILED, Owner, ref

SEATS = ("opinion:agent_1", "opinion:agent_2", "review:agent_1")


class Life:
    """A run in the hands of owners that may die, as the store sees it: calls are begun, booked by whoever began them, at any time."""

    def __init__(self, run: CouncilRun) -> None:
        self.run = run
        self.owners = [Owner.of(run)]
        self.begun: list[tuple[Owner, str, Begun]] = []

    def begin(self, number: int, cents: int) -> None:
        owner, key = self.owners[-1], SEATS[number % len(SEATS)]
        attempt = ModelCall.objects.filter(run=self.run, step__key=key).count() + 1
        try:
            begun = begin_call(owner.claim, ref(key), owner.target, attempt=attempt, at_most_usd=Decimal(cents) / 100)
        except BudgetExhausted:
            return
        self.begun.append((owner, key, begun))

    def book(self, number: int, cents: int) -> None:
        """Any call that was ever begun, also one that was booked or orphaned before."""
        if not self.begun:
            return
        owner, key, begun = self.begun[number % len(self.begun)]
        statuses = (CallStatus.DONE, CallStatus.BROKEN, CallStatus.REFUSED, CallStatus.CANCELLED)
        cost = None if cents % 7 == 3 else Decimal(cents) / 300
        template = ANSWERED if number % 2 else FAILED
        owner.settle(key, begun, replace(template, status=statuses[number % 4], cost_usd=cost and cost.quantize(Decimal("0.00000001"))))

    def take_over(self, number: int, cents: int) -> None:
        self.run.refresh_from_db()
        if self.run.is_live and self.run.barren_deaths < 2:
            self.owners.append(Owner.of(self.run))

    def end(self, number: int, cents: int) -> None:
        if number % 2:
            cancel(self.run.pk, by=None)
        elif self.is_live():
            self.owners[-1].finish()

    def sweep(self, number: int, cents: int) -> None:
        for run_pk, calls in stray_calls().items():
            orphan_calls_of_ended_run(run_pk, calls)

    def settle(self, number: int, cents: int) -> None:
        """Staff book a call that was lost, also one whose owner may yet turn up."""
        for call in ModelCall.objects.of_unknown_cost().filter(run=self.run)[:1]:
            settle_cost(call=call, settlement=Settlement.NOTHING if number % 2 else Settlement.ESTIMATED)

    def is_live(self) -> bool:
        self.run.refresh_from_db()
        return self.run.is_live


MOVES = st.tuples(
    st.integers(0, 1),
    st.sampled_from(("begin", "begin", "begin", "book", "book", "book", "take_over", "sweep", "end", "settle")),
    st.integers(0, 11),
    st.integers(0, 300),
)


@pytest.fixture
def council(db: None) -> CouncilConfiguration:
    return make_council(seats=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(moves=st.lists(MOVES, min_size=5, max_size=25))
def test_accounts_agree_with_the_ledger_after_any_course_of_two_runs(
    council: CouncilConfiguration, moves: list[tuple[int, str, int, int]]
) -> None:
    Budget.objects.all().delete()
    CouncilRun.objects.all().delete()
    user = make_user()
    Budget.objects.create(limit_usd=Decimal(6), at_limit=AtLimit.PARTIAL)
    Budget.objects.create(limit_usd=Decimal(3), period=BudgetPeriod.DAY, user=user, at_limit=AtLimit.PARTIAL)
    runs = [Life(ask_council(by=user, council=council, question="Which is best?")[0]) for _ in range(2)]

    for place, move, number, cents in moves:
        if move != "begin" or runs[place].is_live():
            getattr(runs[place], move)(number, cents)
        assert differences() == []

    for life in runs:
        cancel(life.run.pk, by=None)
        life.sweep(0, 0)
    assert differences() == []
    unknown = sum(ModelCall.objects.filter(run__owner=user, cost_usd=None).values_list("reserved_usd", flat=True), Decimal(0))
    assert {account.reserved_usd for account in BudgetAccount.objects.all()} == {unknown}


@pytest.mark.django_db
def test_the_command_says_that_all_agree() -> None:
    Budget.objects.create(limit_usd=Decimal(5))
    ask_council(by=make_user(), council=make_council(), question="Which is best?")
    said = StringIO()

    call_command("check_budgets", stdout=said)

    assert said.getvalue() == "All 1 accounts agree with the ledger.\n"


@pytest.mark.django_db
def test_the_command_fails_and_names_the_account_that_differs() -> None:
    Budget.objects.create(limit_usd=Decimal(5))
    ask_council(by=make_user(), council=make_council(), question="Which is best?")
    BudgetAccount.objects.update(spent=100_000_000)
    said = StringIO()

    with pytest.raises(CommandError, match="1 of 1 accounts differ"):
        call_command("check_budgets", stdout=said)
    assert "5.0000 USD per month for everybody" in said.getvalue()
    assert "spent 1.00000000" in said.getvalue()
