"""A run finishes whatever dies at whichever of its writes, and nothing is paid twice."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.cache import caches
from django.db import connection
from pytest_django.fixtures import Settings

from councils.caching.fast import ALIAS
from councils.engine.errors import ProviderUnavailable
from councils.engine.types import CompletionRequest, RunStatus
from councils.models import CachedResponse, CallStatus, ModelCall
from councils.providers.scripted import Answer, Reply
from councils.tests.runner.lives import Fault, How, audit_scripted, live_once, play
from councils.tests.runner.scripts import Scripted, by_seat, except_for

Stage = Callable[..., Scripted]
EVERY_WRITE = {"claim_run", "begin_call", "settle_call", "save_tally", "finish_run"}
EVERY_WRITE_OF_A_RECALLED_RUN = {"claim_run", "recall_call", "save_tally", "finish_run"}
# Every write is tried on SQLite. On PostgreSQL each kind of fault takes every third, beginning at another one, so that all are met.
STRIDE = 3 if connection.vendor == "postgresql" else 1


def points(writes: int, how: How) -> range:
    """The writes at which this kind of fault strikes."""
    return range(how.value % STRIDE, writes, STRIDE)


def eventful(request: CompletionRequest, call: int) -> Answer:
    """The first try of an opinion fails, and the first ballot is no ballot."""
    if request.schema is None and call == 0:
        return Reply(text="The beg", error=ProviderUnavailable("as ordered"))
    return "I would rather not." if request.schema is not None and call == 2 else by_seat(request, call)


def slow(request: CompletionRequest, call: int) -> Answer:
    """An opinion so slow that nobody waits for it."""
    return Reply(text="At last.", delay_s=0.15) if request.schema is None else by_seat(request, call)


@pytest.mark.parametrize("how", How)
@pytest.mark.parametrize("course", ["plain", "eventful", "straggling"])
def test_a_run_survives_a_fault_at_each_of_its_writes(scripted: Stage, how: How, course: str) -> None:
    behaviour = {"plain": by_seat, "eventful": except_for("seat1", eventful), "straggling": except_for("seat4", slow)}[course]
    options = {"seats": 4, "quorum": 3, "soft_deadline_s": 0} if course == "straggling" else {}
    council = scripted(behaviour, **options)
    writes = len(play(council.ask()).wrote)
    struck = set()
    # A straggler makes the number of writes vary a little; a fault that comes too late strikes nothing.
    for point in points(writes + 3, how):
        story = play(council.ask(), Fault(point, how))
        struck.add(story.struck)
        where = f"{how.name} at write {point} ({story.struck}), {story.lives} lives: {story.run.reason}"
        assert story.run.status == RunStatus.SUCCEEDED, where
        assert audit_scripted(story.run, council.provider).problems == [], where
        council.provider.requests.clear()

    # Where a straggler's writes come among the others differs from run to run, so that a number may miss one kind of write.
    assert STRIDE > 1 or struck >= ({"mark_late"} if course == "straggling" else EVERY_WRITE)


@pytest.mark.parametrize("how", [How.KILLED_BEFORE, How.KILLED_AFTER])
def test_a_kill_costs_at_most_the_calls_that_were_in_flight(scripted: Stage, how: How) -> None:
    council = scripted()
    for point in points(len(play(council.ask()).wrote), how):
        story = play(council.ask(), Fault(point, how))
        calls = ModelCall.objects.filter(run=story.run)
        # Three seats write at once, so that at most three calls are under way.
        assert calls.filter(status=CallStatus.ORPHANED).count() <= 3
        assert calls.filter(status=CallStatus.DONE).count() == 7, story.struck


@pytest.mark.parametrize("how", [How.LOST_REPLY, How.KILLED_AFTER])
def test_a_run_from_the_cache_survives_a_fault_at_each_of_its_writes_at_no_cost(scripted: Stage, settings: Settings, how: How) -> None:
    settings.ENABLE_CACHE = True
    caches[ALIAS].clear()
    council = scripted()
    first = play(council.ask()).run
    paid = len(council.provider.requests)
    struck = set()
    for point in points(len(play(council.ask()).wrote) + 1, how):
        story = play(council.ask(), Fault(point, how))
        struck.add(story.struck)
        where = f"{how.name} at write {point} ({story.struck}), {story.lives} lives: {story.run.reason}"
        assert (story.run.status, story.run.answer) == (RunStatus.SUCCEEDED, first.answer), where
        assert (story.run.cost_usd, story.run.total_tokens) == (Decimal(0), 0), where
        assert audit_scripted(story.run, council.provider).problems == [], where

    assert len(council.provider.requests) == paid, "nothing was asked again"
    assert STRIDE > 1 or struck >= EVERY_WRITE_OF_A_RECALLED_RUN


def test_a_kill_while_answers_are_put_into_the_cache_pays_none_of_them_twice(scripted: Stage, settings: Settings) -> None:
    settings.ENABLE_CACHE = True
    council = scripted()
    point = 0
    while True:
        caches[ALIAS].clear()
        CachedResponse.objects.all().delete()
        story = play(council.ask(), Fault(point, How.KILLED_AFTER))
        if not story.struck:
            break
        where = f"killed after write {point} ({story.struck})"
        assert story.run.status == RunStatus.SUCCEEDED, where
        assert audit_scripted(story.run, council.provider).problems == [], where
        assert ModelCall.objects.filter(run=story.run, status=CallStatus.DONE).count() == 7, where
        council.provider.requests.clear()
        point += 1


def test_a_run_that_dies_at_every_life_is_given_up_after_three(scripted: Stage) -> None:
    council = scripted()
    run = council.ask()

    for _ in range(3):
        asyncio.run(live_once(run.pk, Fault(point=1, how=How.KILLED_BEFORE)))
    story = play(run)

    assert (run.status, story.wrote) == (RunStatus.FAILED, ["claim_run"])
    assert council.provider.requests == []
