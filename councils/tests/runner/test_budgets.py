"""Runs that a budget pays for: no call begins that it could not pay, and whatever dies, its account agrees with the ledger."""

import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db.models import F
from pytest_django.fixtures import Settings

from councils.engine.errors import BrokenStream
from councils.engine.types import CompletionRequest, RunStatus, Usage
from councils.models import AtLimit, Budget, BudgetAccount, CallStatus, CouncilRun, LedgerEntry, ModelCall, ModelInfo
from councils.providers.scripted import Answer, Reply
from councils.services.errors import BudgetExceeded
from councils.services.reconciling import differences
from councils.store.steps import record_step
from councils.tests.runner.lives import Fault, How, play
from councils.tests.runner.scripts import Scripted, by_seat, except_for

Stage = Callable[..., Scripted]

# A call of the scripted models may cost 0.011 USD and a little, since nobody limits their answers; what they say costs next to nothing.
TWO_CALLS = Decimal("0.028")
PLENTY = Decimal(5)


def budget_of(limit: Decimal, at_limit: AtLimit = AtLimit.PARTIAL) -> Budget:
    return Budget.objects.create(limit_usd=limit, at_limit=at_limit)


def account() -> BudgetAccount:
    return BudgetAccount.objects.get()


def ledger() -> Decimal:
    amounts = LedgerEntry.objects.values_list("amount_usd", flat=True)
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def test_a_run_that_fits_ends_as_without_a_budget_and_is_charged_to_the_unit(scripted: Stage) -> None:
    council = scripted()
    budget_of(PLENTY)

    story = play(council.ask())

    assert story.run.status == RunStatus.SUCCEEDED
    assert (account().spent_usd, account().reserved) == (ledger(), 0)
    assert ledger() == story.run.known_cost_usd > 0


def test_what_a_budget_holds_for_an_answer_is_the_longest_that_is_asked_for(scripted: Stage, settings: Settings) -> None:
    settings.BUDGET_OUTPUT_TOKENS = 1_234
    council = scripted()
    budget_of(PLENTY)

    story = play(council.ask())

    assert {request.max_tokens for request in council.provider.requests} == {1_234}
    assert not story.run.calls.filter(reserved_usd__lte=F("output_price") * Decimal("1.234")).exists()


def test_a_smaller_limit_of_a_seat_or_a_model_is_the_one_that_is_asked_for(scripted: Stage) -> None:
    council = scripted()
    budget_of(PLENTY)
    council.council.members.update(max_tokens=300)
    ModelInfo.objects.filter(name="fake:name=seat1").update(max_output_tokens=200)

    play(council.ask())

    assert council.asked("seat1")[0].max_tokens == 200
    assert council.asked("seat2")[0].max_tokens == 300


def test_without_a_budget_nobody_limits_an_answer(scripted: Stage) -> None:
    council = scripted()

    play(council.ask())

    assert {request.max_tokens for request in council.provider.requests} == {None}


def test_an_answer_as_long_as_asked_for_costs_no_more_than_was_held(scripted: Stage) -> None:
    def endless(request: CompletionRequest, call: int) -> Answer:
        return Reply(text="On and on.", usage=Usage(prompt_tokens=5, completion_tokens=request.max_tokens or 30_000))

    council = scripted(except_for("seat1", endless))
    budget_of(PLENTY)

    story = play(council.ask())

    calls = story.run.calls.filter(model_name="fake:name=seat1", status=CallStatus.DONE)
    assert calls.exists()
    assert not calls.filter(cost_usd__gt=F("reserved_usd")).exists()


def test_a_budget_that_runs_out_ends_the_run_with_what_is_there(scripted: Stage) -> None:
    council = scripted()
    budget_of(TWO_CALLS)

    story = play(council.ask())

    assert (story.run.status, story.run.reason_code) == (RunStatus.PARTIAL, "out_of_budget_unranked")
    assert "budget" in story.run.marks
    assert len(council.provider.requests) == 2, "no paid call after the budget has refused one"
    refused = story.run.steps.get(error_kind="budget_used_up")
    assert refused.calls.count() == 0
    assert (account().reserved, differences()) == (0, [])


def test_a_run_whose_refusal_is_written_down_and_that_then_dies_asks_nobody_in_its_next_life(scripted: Stage) -> None:
    council = scripted()
    budget_of(TWO_CALLS)

    story = play(council.ask(), Fault(record_step.__name__, How.KILLED_AFTER))

    assert story.struck == record_step.__name__
    assert story.lives == 2
    assert story.run.status in {RunStatus.PARTIAL, RunStatus.FAILED}
    assert len(council.provider.requests) == 2
    assert differences() == []


def test_a_run_that_dies_before_its_refusal_is_written_down_spends_no_more_than_the_budget(scripted: Stage) -> None:
    council = scripted()
    budget_of(TWO_CALLS)

    story = play(council.ask(), Fault(record_step.__name__, How.KILLED_BEFORE))

    assert story.struck == record_step.__name__
    assert story.run.status in {RunStatus.PARTIAL, RunStatus.FAILED}
    assert account().spent_usd <= TWO_CALLS
    assert differences() == []


def test_a_budget_that_refuses_what_may_not_fit_starts_nothing(scripted: Stage) -> None:
    council = scripted()
    budget_of(TWO_CALLS, AtLimit.REFUSE)

    with pytest.raises(BudgetExceeded):
        council.ask()
    assert not CouncilRun.objects.exists()
    assert account().reserved == 0


def test_a_run_that_a_refusing_budget_let_in_is_not_broken_off_by_others(scripted: Stage) -> None:
    council = scripted()
    budget = budget_of(PLENTY, AtLimit.REFUSE)
    run = council.ask()
    Budget.objects.filter(pk=budget.pk).update(limit_usd=0)

    assert play(run).run.status == RunStatus.SUCCEEDED


def test_free_models_are_asked_although_nothing_is_left(scripted: Stage) -> None:
    council = scripted()
    budget_of(Decimal(0))
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)

    assert play(council.ask()).run.status == RunStatus.SUCCEEDED
    assert not BudgetAccount.objects.filter(spent__gt=0).exists()


def shaky(request: CompletionRequest, call: int) -> Answer:
    """Fails every other time, after some text that is paid."""
    return Reply(text="The beg", error=BrokenStream("as ordered")) if call % 2 == 0 else by_seat(request, call)


@pytest.mark.parametrize("seed", range(12))
def test_after_any_fault_the_account_agrees_with_the_ledger(scripted: Stage, seed: int) -> None:
    chance = random.Random(seed)
    council = scripted(except_for("seat1", shaky))
    budget_of(chance.choice([PLENTY, TWO_CALLS, TWO_CALLS * 2]))

    story = play(council.ask(), Fault(chance.randrange(24), chance.choice(list(How))))

    where = f"{story.struck}, {story.lives} lives, {story.run.status}"
    unknown = ModelCall.objects.filter(cost_usd=None).values_list("status", "reserved_usd")
    assert differences() == [], where
    assert account().reserved_usd == sum((amount for _, amount in unknown), Decimal(0)), where
    assert {status for status, _ in unknown} <= {CallStatus.ORPHANED}, where
    assert account().spent_usd == ledger(), where
