"""A paid call is written down before it is sent, and booked once with what it brought."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from councils.engine.types import StepStatus
from councils.models import CallStatus, CouncilRun, LedgerEntry, ModelCall, RunStep
from councils.models.budget import MOST_USD
from councils.store.calls import Sending, StepHasResult, StepWrite, recall_call, settle_call
from councils.store.ownership import LostRun
from councils.store.runs import cancel
from councils.store.steps import mark_late
from councils.tests.store.support import ANSWERED, FAILED, Owner, amounts, call_of, done, events_of, ref, step_of

KEY = "opinion:agent_1"


def test_a_call_is_in_the_books_before_it_is_sent(owner: Owner) -> None:
    begun = owner.begin(KEY)

    call = call_of(begun)
    assert (call.status, call.attempt, call.cost_usd) == (CallStatus.SENDING, 1, None)
    assert events_of(owner.run)[-1]["type"] == "call_started"


def test_no_attempt_begins_for_a_step_that_has_a_result(owner: Owner) -> None:
    owner.answer(KEY)

    with pytest.raises(StepHasResult):
        owner.begin(KEY, attempt=2)
    assert ModelCall.objects.count() == 1


@pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.INVALID])
def test_no_attempt_begins_for_a_step_that_has_failed(owner: Owner, status: StepStatus) -> None:
    owner.settle(KEY, owner.begin(KEY), FAILED, StepWrite(status=status, error_kind="broken_stream"))

    with pytest.raises(StepHasResult):
        owner.begin(KEY, attempt=2)


def test_no_attempt_begins_for_a_step_that_is_late(owner: Owner) -> None:
    owner.settle(KEY, owner.begin(KEY), FAILED)
    mark_late(owner.claim, [ref(KEY)])

    with pytest.raises(StepHasResult):
        owner.begin(KEY, attempt=2)


def test_no_attempt_begins_for_a_run_that_has_ended(owner: Owner) -> None:
    owner.finish()

    with pytest.raises(LostRun):
        owner.begin(KEY)
    assert not RunStep.objects.filter(key=KEY).exists()


def test_no_attempt_begins_after_a_cancel(owner: Owner) -> None:
    cancel(owner.run.pk, by=None)

    with pytest.raises(LostRun):
        owner.begin(KEY)


def test_no_attempt_begins_for_an_owner_that_was_replaced(owner: Owner) -> None:
    Owner.of(owner.run, worker="second")

    with pytest.raises(LostRun):
        owner.begin(KEY)
    assert not ModelCall.objects.exists()


def test_result_cost_and_event_become_true_together(owner: Owner) -> None:
    begun = owner.answer(KEY)

    owner.run.refresh_from_db()
    assert (step_of(owner.run, KEY).status, step_of(owner.run, KEY).text) == (StepStatus.DONE, "Blue.")
    assert amounts(begun) == [("charged", Decimal("0.5"))]
    assert (owner.run.known_cost_usd, owner.run.prompt_tokens, owner.run.completion_tokens) == (Decimal("0.5"), 10, 20)
    assert events_of(owner.run)[-1]["type"] == "opinion_completed"
    assert events_of(owner.run)[-1]["text"] == "Blue."


def test_a_result_that_cannot_be_stored_books_nothing_either(owner: Owner) -> None:
    begun = owner.begin(KEY)
    unknown = replace(done(), payload={"not": {"json"}})

    with pytest.raises(TypeError):
        owner.settle(KEY, begun, ANSWERED, unknown)
    assert call_of(begun).status == CallStatus.SENDING
    assert (amounts(begun), step_of(owner.run, KEY).status) == ([], StepStatus.RUNNING)
    assert events_of(owner.run)[-1]["type"] == "call_started"


def test_booking_twice_books_once(owner: Owner) -> None:
    begun = owner.answer(KEY)
    before = events_of(owner.run)

    assert owner.settle(KEY, begun, replace(ANSWERED, cost_usd=Decimal(9)), done("Red.")) == (True, [])
    assert amounts(begun) == [("charged", Decimal("0.5"))]
    assert step_of(owner.run, KEY).text == "Blue."
    assert events_of(owner.run) == before


def test_an_owner_that_was_replaced_writes_no_result_but_its_call_is_booked(owner: Owner) -> None:
    begun = owner.begin(KEY)
    Owner.of(owner.run, worker="second")
    before = events_of(owner.run)

    accepted, events = owner.settle(KEY, begun, ANSWERED, done())

    assert (accepted, events) == (False, [])
    assert not step_of(owner.run, KEY).text
    assert events_of(owner.run) == before
    assert call_of(begun).status == CallStatus.DONE


def test_an_orphan_whose_owner_thaws_gets_its_cost_by_a_correction(owner: Owner) -> None:
    begun = owner.begin(KEY)
    Owner.of(owner.run, worker="second")
    owner.run.refresh_from_db()
    assert (call_of(begun).status, owner.run.unknown_costs) == (CallStatus.ORPHANED, 1)

    settled = settle_call(owner.claim, ref(KEY), begun, ANSWERED, done())

    assert (settled.accepted, settled.orphan) == (False, True)
    owner.run.refresh_from_db()
    assert amounts(begun) == [("charged", None), ("corrected", Decimal("0.5"))]
    assert (owner.run.unknown_costs, owner.run.known_cost_usd) == (0, Decimal("0.5"))


def test_a_call_of_unknown_cost_stays_visible_as_unknown(owner: Owner) -> None:
    begun = owner.begin(KEY)

    owner.settle(KEY, begun, replace(ANSWERED, cost_usd=None), done())

    owner.run.refresh_from_db()
    assert amounts(begun) == [("charged", None)]
    assert (owner.run.unknown_costs, owner.run.cost_usd) == (1, None)


def test_the_ledger_holds_each_call_once_and_the_run_their_sum(owner: Owner) -> None:
    owner.settle(KEY, owner.begin(KEY), replace(FAILED, cost_usd=Decimal("0.25"), prompt_tokens=4))
    owner.settle(KEY, owner.begin(KEY, attempt=2), ANSWERED, done())
    owner.answer("opinion:agent_2")

    owner.run.refresh_from_db()
    assert [entry.amount_usd for entry in LedgerEntry.objects.order_by("pk")] == [Decimal("0.25"), Decimal("0.5"), Decimal("0.5")]
    assert (owner.run.known_cost_usd, owner.run.prompt_tokens) == (Decimal("1.25"), 24)


def test_a_failed_try_is_told_and_the_step_goes_on(owner: Owner) -> None:
    accepted, events = owner.settle(KEY, owner.begin(KEY), FAILED)

    assert accepted
    assert [(event["type"], event["retry_in_s"]) for event in events] == [("call_failed", 1.0)]
    assert step_of(owner.run, KEY).status == StepStatus.RUNNING


def test_the_same_attempt_cannot_be_written_down_twice(owner: Owner) -> None:
    owner.begin(KEY)

    with pytest.raises(Exception, match=r"(?i)unique"):
        owner.begin(KEY)


def test_no_first_attempt_begins_for_a_seat_that_was_late_while_it_waited(owner: Owner) -> None:
    mark_late(owner.claim, [ref(KEY)])

    with pytest.raises(StepHasResult):
        owner.begin(KEY)


def test_a_recalled_answer_that_is_written_twice_is_there_once(owner: Owner) -> None:
    recall = partial(
        recall_call, owner.claim, ref(KEY), owner.target, attempt=1, sending=Sending(cached=True), booking=ANSWERED, result=done()
    )
    begun, accepted, events = recall()

    again = recall()

    assert (accepted, len(events)) == (True, 1)
    assert (again[0].call_id, *again[1:]) == (begun.call_id, True, [])
    assert ModelCall.objects.filter(run=owner.run).count() == 1


def test_what_comes_late_is_kept_as_late(owner: Owner) -> None:
    begun = owner.begin(KEY)
    mark_late(owner.claim, [ref(KEY)])

    accepted, events = owner.settle(KEY, begun, ANSWERED, done())

    assert accepted
    assert step_of(owner.run, KEY).status == StepStatus.LATE_DONE
    assert (events[-1]["type"], events[-1]["status"]) == ("opinion_completed", "late_done")


def test_a_late_step_that_fails_has_failed(owner: Owner) -> None:
    begun = owner.begin(KEY)
    mark_late(owner.claim, [ref(KEY)])

    owner.settle(KEY, begun, FAILED, StepWrite(status=StepStatus.FAILED, error_kind="broken_stream"))

    assert step_of(owner.run, KEY).status == StepStatus.FAILED


def test_marking_late_leaves_a_step_alone_that_has_its_result(owner: Owner) -> None:
    owner.answer(KEY)

    assert mark_late(owner.claim, [ref(KEY)]) == []
    assert step_of(owner.run, KEY).status == StepStatus.DONE


def test_a_call_that_comes_home_after_the_end_of_its_run_is_booked_and_changes_nothing_else(owner: Owner, run: CouncilRun) -> None:
    begun = owner.begin(KEY)
    cancel(run.pk, by=None)
    before = events_of(run)

    assert owner.settle(KEY, begun, replace(ANSWERED, status=CallStatus.CANCELLED), done()) == (False, [])
    run.refresh_from_db()
    assert (call_of(begun).status, run.known_cost_usd) == (CallStatus.CANCELLED, Decimal("0.5"))
    assert (step_of(run, KEY).status, events_of(run)) == (StepStatus.CANCELLED, before)


@pytest.mark.parametrize("status", [StepStatus.DONE, StepStatus.LATE_DONE, StepStatus.FAILED, StepStatus.INVALID])
@pytest.mark.parametrize("attempt", [1, 2])
def test_no_call_begins_for_a_step_that_was_kept_whatever_its_owner_believes(
    run: CouncilRun, owner: Owner, status: StepStatus, attempt: int
) -> None:
    kept = RunStep.objects.create(run=run, key="opinion:agent_1", stage="opinions", agent_id="agent_1", status=status.value, carried=True)

    with transaction.atomic(), pytest.raises((StepHasResult, IntegrityError)):
        owner.begin("opinion:agent_1", attempt=attempt)

    assert not kept.calls.exists()


def test_a_cost_beyond_the_columns_is_booked_at_the_most_they_keep_and_logged(owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    for seat in ("opinion:agent_1", "opinion:agent_2"):
        begun = owner.begin(seat)

        assert owner.settle(seat, begun, replace(ANSWERED, cost_usd=Decimal("1e24")), done())[0]
        assert call_of(begun).cost_usd == MOST_USD

    owner.run.refresh_from_db()
    assert owner.run.known_cost_usd == MOST_USD
    assert "more than can be stored" in caplog.text
