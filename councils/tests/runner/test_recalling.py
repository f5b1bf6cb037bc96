"""A question that was asked the same way lately costs nothing and has the same answer."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from councils.caching.fast import ALIAS
from councils.caching.flights import Flights
from councils.caching.shelf import Shelf
from councils.engine.errors import ProviderUnavailable
from councils.engine.types import CompletionRequest, FinishReason, RunStatus
from councils.models import CachedResponse, CouncilRun, LedgerEntry, ModelCall, User
from councils.providers.scripted import Answer, Reply
from councils.runner.drive import Driver
from councils.runner.switchboard import Switchboard
from councils.runner.work import RunWork
from councils.runner.writer import Writer
from councils.services.asking import Manner, ask_council
from councils.services.caching import invalidate
from councils.services.repeating import ask_again
from councils.store.claims import claim_run
from councils.tests.durability.support import event_types
from councils.tests.runner.lives import audit_scripted, play
from councils.tests.runner.scripts import Scripted, by_seat, except_for, name_of

Stage = Callable[..., Scripted]

CALLS = 3 + 3 + 1


@pytest.fixture(autouse=True)
def cache_on(settings: Settings) -> None:
    settings.ENABLE_CACHE = True
    caches[ALIAS].clear()


def sent(run: CouncilRun) -> int:
    return ModelCall.objects.filter(run=run, cached=False).count()


def recalled(run: CouncilRun) -> int:
    return ModelCall.objects.filter(run=run, cached=True).count()


def test_the_same_question_again_is_answered_at_no_cost(scripted: Stage) -> None:
    council = scripted()
    first, second = play(council.ask()).run, play(council.ask()).run

    assert (sent(first), recalled(first)) == (CALLS, 0)
    assert (sent(second), recalled(second)) == (0, CALLS)
    assert (second.status, second.answer, second.consensus_score) == (first.status, first.answer, first.consensus_score)
    assert (second.cost_usd, second.total_tokens) == (Decimal(0), 0)
    assert len(council.provider.requests) == CALLS
    # The digest of a call leads to the cached response, and the other way round.
    kept = set(CachedResponse.objects.values_list("prompt_hash", flat=True))
    assert kept == set(ModelCall.objects.filter(run=second).values_list("prompt_hash", flat=True))


def test_a_recalled_call_stands_in_the_ledger_with_nothing(scripted: Stage) -> None:
    council = scripted()
    play(council.ask())
    run = play(council.ask()).run

    amounts = LedgerEntry.objects.filter(call__run=run).values_list("kind", "amount_usd")
    assert list(amounts) == [("charged", Decimal(0))] * CALLS
    assert event_types(run)[-1] == "run_finished"
    assert not audit_scripted(run, council.provider).problems


def test_steps_of_both_runs_read_the_same(scripted: Stage) -> None:
    council = scripted()
    first, second = play(council.ask()).run, play(council.ask()).run

    def told(run: CouncilRun) -> list[tuple[object, ...]]:
        return list(run.steps.order_by("key").values_list("key", "status", "text", "payload", "model_name"))

    assert told(first) == told(second)


def test_another_question_is_asked(scripted: Stage, asker: User) -> None:
    council = scripted()
    play(council.ask())
    other = play(ask_council(by=asker, council=council.council, question="Which is worst?")[0]).run

    assert (sent(other), recalled(other)) == (CALLS, 0)


def test_a_changed_council_is_asked(scripted: Stage) -> None:
    council = scripted()
    play(council.ask())
    council.council.members.update(persona="You are terse.")
    run = play(council.ask()).run

    assert recalled(run) == 0


def test_whoever_wants_fresh_answers_gets_them_and_leaves_them_for_others(scripted: Stage, asker: User) -> None:
    council = scripted()
    play(council.ask())
    fresh = play(ask_council(by=asker, council=council.council, question="Which is best?", manner=Manner(fresh=True))[0]).run

    assert (sent(fresh), recalled(fresh)) == (CALLS, 0)


def test_a_blind_question_shares_no_answers_with_an_open_one(scripted: Stage, asker: User) -> None:
    """Else the names that stand beside the one would tell those of the other."""
    council = scripted()
    blind = partial(ask_council, by=asker, council=council.council, question="Which is best?", manner=Manner(blind=True))
    before = play(blind()[0]).run
    play(council.ask())
    after = play(blind()[0]).run
    again = play(ask_again(by=asker, run=after)[0]).run

    assert [(sent(run), recalled(run)) for run in (before, after, again)] == [(CALLS, 0)] * 3
    assert len(council.provider.requests) == 4 * CALLS


def test_asking_again_asks_anew(scripted: Stage, asker: User) -> None:
    council = scripted()
    first = play(council.ask()).run
    again = play(ask_again(by=asker, run=first)[0]).run

    assert (sent(again), recalled(again)) == (CALLS, 0)


@pytest.mark.parametrize("switch", ["site", "council"])
def test_a_cache_that_is_switched_off_is_not_used(scripted: Stage, settings: Settings, switch: str) -> None:
    council = scripted()
    play(council.ask())
    if switch == "site":
        settings.ENABLE_CACHE = False
    else:
        council.council.use_cache = False
        council.council.save()
    run = play(council.ask()).run

    assert (sent(run), recalled(run)) == (CALLS, 0)


def test_what_was_forgotten_is_asked(scripted: Stage) -> None:
    council = scripted()
    play(council.ask())
    assert invalidate(kind="llm") == CALLS

    assert sent(play(council.ask()).run) == CALLS


def test_failed_and_cut_answers_are_not_kept(scripted: Stage) -> None:
    council = scripted(except_for("seat1", lambda *_: Reply(text="Cut he", finish_reason=FinishReason.LENGTH)))
    play(council.ask())
    kept = CachedResponse.objects.filter(response_data__text="Cut he")

    assert not kept.exists()


def test_only_what_failed_is_asked_the_next_time(scripted: Stage) -> None:
    failing = [True]

    def sometimes(request: CompletionRequest, call: int) -> Answer:
        return ProviderUnavailable() if failing[0] else by_seat(request, call)

    council = scripted(except_for("seat1", sometimes))
    first = play(council.ask()).run
    assert "degraded" in first.marks
    failing[0] = False
    second = play(council.ask()).run

    assert second.status == RunStatus.SUCCEEDED
    assert ModelCall.objects.filter(run=second, step__key__in=["opinion:agent_2", "opinion:agent_3"], cached=False).count() == 0
    assert ModelCall.objects.filter(run=second, step__key="opinion:agent_1", cached=False).count() == 1


def test_the_same_model_in_two_seats_answers_twice(scripted: Stage) -> None:
    council = scripted()
    council.council.members.update(model=council.council.members.all()[0].model, persona="")
    run = play(council.ask()).run

    opinions = ModelCall.objects.filter(run=run, step__key__startswith="opinion:")
    assert opinions.filter(cached=False).count() == 3


def test_a_seat_that_waits_for_anothers_call_may_be_given_up_on(scripted: Stage) -> None:
    """Two runs ask the same at once. Of the second, the seat that waits for the first one's slow call is late: its run goes on unharmed."""

    def slow(request: CompletionRequest, call: int) -> Answer:
        answer = by_seat(request, call)
        return answer if request.schema is not None else Reply(text="Slow, but fine.", delay_s=2.5)

    council = scripted(except_for("seat1", slow), seats=5, soft_deadline_s=1)
    first, second = council.ask(), council.ask()

    async def both() -> None:
        writer = Writer()
        flights, board = Flights(Shelf(writer)), Switchboard()

        async def drive(run: CouncilRun, after_s: float) -> None:
            await asyncio.sleep(after_s)
            claimed = await writer(claim_run, run.pk, worker="here")
            assert claimed is not None
            await Driver(RunWork.of(claimed, writer, board, flights)).run()

        await asyncio.gather(drive(first, 0), drive(second, 0.2))
        writer.close()

    asyncio.run(both())

    for run in (first, second):
        run.refresh_from_db()
        assert (run.status, run.barren_deaths) == (RunStatus.SUCCEEDED, 0)
        assert not ModelCall.objects.filter(run=run).exclude(status__in=["done", "cancelled"]).exists()
    assert sent(first) + sent(second) == len(council.provider.requests)


def test_a_seat_that_is_asked_beside_recalled_ones_has_the_time_that_they_took(scripted: Stage) -> None:
    """Answers from the cache come at once. The seat that must be asked is not late for that."""

    def script(request: CompletionRequest, call: int) -> Answer:
        if request.schema is not None or name_of(request) == "chair":
            return by_seat(request, call)
        if name_of(request) == "seat1":
            return Reply(text="Cut he", delay_s=1.6, finish_reason=FinishReason.LENGTH)
        return Reply(text=f"From {name_of(request)}.", delay_s=2.5)

    council = scripted(script, soft_deadline_s=1)
    first, second = play(council.ask()).run, play(council.ask()).run

    assert "degraded" not in first.marks
    assert "degraded" not in second.marks
    assert ModelCall.objects.filter(run=second, step__key="opinion:agent_1", cached=False).count() == 1
