"""Identical calls at the same moment are one call."""

import asyncio
from contextlib import suppress

import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from councils.caching import flights as flights_module
from councils.caching.answers import KeptAnswer
from councils.caching.fast import ALIAS, FastTier
from councils.caching.flights import Flights, entry_of
from councils.caching.shelf import Shelf
from councils.models import CacheStatistic

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "f" * 64
ANSWER = KeptAnswer(text="Blue.", prompt_tokens=3, completion_tokens=1)


class Model:
    """Counts what it is asked. ``failures`` of its first answers fail."""

    def __init__(self, failures: int = 0) -> None:
        self.asked = 0
        self.began = asyncio.Event()
        self._failures = failures

    async def ask(self) -> KeptAnswer:
        self.asked += 1
        self.began.set()
        await asyncio.sleep(0.02)
        if self.asked <= self._failures:
            raise ConnectionError
        return ANSWER


async def ask(flights: Flights, model: Model, key: str = KEY) -> KeptAnswer:
    async with flights.take(key, patience_s=60) as flight:
        if flight.hit is not None:
            return flight.hit
        answer = await model.ask()
        await flights.keep(flight, answer, entry_of(answer, key=key, model_id=None, model_name="m", prompt_hash=""))
        return answer


@pytest.mark.usefixtures("alone")
async def test_fifty_at_once_ask_once(flights: Flights) -> None:
    model = Model()

    answers = await asyncio.gather(*(ask(flights, model) for _ in range(50)))

    assert model.asked == 1
    assert answers == [ANSWER] * 50


@pytest.mark.usefixtures("alone")
async def test_other_calls_do_not_wait(flights: Flights) -> None:
    model = Model()

    await asyncio.gather(*(ask(flights, model, f"{number:064}") for number in range(5)))

    assert model.asked == 5


@pytest.mark.usefixtures("alone")
async def test_later_ones_find_it(flights: Flights) -> None:
    model = Model()
    await ask(flights, model)

    assert await ask(flights, model) == ANSWER
    assert model.asked == 1


@pytest.mark.usefixtures("alone")
async def test_if_the_first_fails_the_next_one_asks(flights: Flights) -> None:
    model = Model(failures=2)

    outcomes = await asyncio.gather(*(ask(flights, model) for _ in range(10)), return_exceptions=True)

    assert model.asked == 3
    assert sum(isinstance(outcome, ConnectionError) for outcome in outcomes) == 2
    assert outcomes.count(ANSWER) == 8


@pytest.mark.usefixtures("alone")
async def test_a_first_one_that_is_cancelled_leaves_the_call_to_the_next(flights: Flights) -> None:
    model = Model()
    first = asyncio.create_task(ask(flights, model))
    second = asyncio.create_task(ask(flights, model))
    await model.began.wait()
    first.cancel()

    assert await second == ANSWER
    assert model.asked == 2
    with suppress(asyncio.CancelledError):
        await first


@pytest.mark.usefixtures("alone")
async def test_one_who_gives_up_waiting_takes_nothing_from_the_others(flights: Flights) -> None:
    model = Model()
    first, second, third = (asyncio.create_task(ask(flights, model)) for _ in range(3))
    await model.began.wait()
    second.cancel()

    assert [await first, await third] == [ANSWER, ANSWER]
    assert model.asked == 1


@pytest.mark.usefixtures("alone")
async def test_garbage_in_the_cache_is_asked_anew(flights: Flights, shelf: Shelf) -> None:
    shelf.fast.put("llm", KEY, {"text": 5}, ttl_s=60)
    model = Model()

    assert await ask(flights, model) == ANSWER
    assert model.asked == 1


@pytest.mark.usefixtures("alone")
async def test_an_answer_to_another_request_is_not_handed_to_those_who_wait(flights: Flights) -> None:
    """The model took another form than it was asked for first: what it sent is kept under that form's key."""
    model = Model()

    async def other_form() -> None:
        async with flights.take(KEY, patience_s=60) as flight:
            await asyncio.sleep(0.02)
            await flights.keep(flight, ANSWER, entry_of(ANSWER, key="0" * 64, model_id=None, model_name="m", prompt_hash=""))

    _, answer = await asyncio.gather(other_form(), ask(flights, model))

    assert answer == ANSWER
    assert model.asked == 1


async def test_two_processes_ask_once(shelf: Shelf, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sets of flights share nothing but the fast tier, as two processes do."""
    settings.REDIS_CACHE_URL = settings.REDIS_CACHE_URL or "redis://shared"
    monkeypatch.setattr(flights_module, "POLL_S", 0.01)
    model = Model()
    here, there = Flights(shelf), Flights(shelf)

    answers = await asyncio.gather(ask(here, model), ask(there, model), ask(there, model))

    assert list(answers) == [ANSWER] * 3
    assert model.asked == 1


async def test_a_process_that_fails_lets_another_ask(shelf: Shelf, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_CACHE_URL = settings.REDIS_CACHE_URL or "redis://shared"
    monkeypatch.setattr(flights_module, "POLL_S", 0.01)
    model = Model(failures=1)
    here, there = Flights(shelf), Flights(shelf)

    outcomes = await asyncio.gather(ask(here, model), ask(there, model), return_exceptions=True)

    assert model.asked == 2
    assert ANSWER in outcomes


@pytest.mark.usefixtures("alone")
async def test_those_who_waited_for_nothing_ask_side_by_side(flights: Flights) -> None:
    """The first one was answered with nothing worth keeping: the others must not come to that one after the other."""
    asking, the_first, others_are_there = 0, asyncio.Event(), asyncio.Event()

    async def in_vain() -> None:
        nonlocal asking
        async with flights.take(KEY, patience_s=60) as flight:
            assert flight.hit is None
            if not the_first.is_set():
                the_first.set()
                await asyncio.sleep(0.02)
                return
            asking += 1
            if asking == 9:
                others_are_there.set()
            await others_are_there.wait()

    async with asyncio.timeout(30):
        await asyncio.gather(*(in_vain() for _ in range(10)))

    assert asking == 9


@pytest.mark.usefixtures("alone")
async def test_who_was_served_by_waiting_counts_as_a_hit(flights: Flights) -> None:
    await asyncio.gather(*(ask(flights, Model()) for _ in range(5)))
    await flights.shelf.flush()

    statistic = await CacheStatistic.objects.aget()
    assert (statistic.requests, statistic.hits) == (5, 4)


async def test_the_claim_of_a_process_that_died_lapses_soon(shelf: Shelf, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_CACHE_URL = settings.REDIS_CACHE_URL or "redis://shared"
    monkeypatch.setattr(flights_module, "POLL_S", 0.01)
    shelf.fast.claim("llm", KEY, ttl_s=1)
    model = Model()

    assert await ask(Flights(shelf), model) == ANSWER
    assert model.asked == 1
    assert shelf.fast.claim("llm", KEY, ttl_s=1), "the claim is let go after the call"


async def test_a_call_that_takes_longer_than_a_claim_holds_on_to_it(
    shelf: Shelf, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_CACHE_URL = settings.REDIS_CACHE_URL or "redis://shared"
    monkeypatch.setattr(flights_module, "CLAIM_TTL_S", 2.5)
    flights = Flights(shelf)

    async with flights.take(KEY, patience_s=60):
        await asyncio.sleep(3)
        assert not shelf.fast.claim("llm", KEY, ttl_s=1)


@pytest.mark.usefixtures("alone")
async def test_whoever_waits_for_a_call_that_hangs_asks_for_itself_in_time(flights: Flights) -> None:
    hanging, begun, model = asyncio.Event(), asyncio.Event(), Model()

    async def hang() -> None:
        async with flights.take(KEY, patience_s=60):
            begun.set()
            await hanging.wait()

    leader = asyncio.create_task(hang())
    await begun.wait()
    async with flights.take(KEY, patience_s=0.05) as flight:
        assert flight.hit is None
        await model.ask()
    hanging.set()
    await leader

    assert model.asked == 1


def test_a_claim_that_another_process_took_over_is_neither_renewed_nor_released() -> None:
    stalled, successor = FastTier(), FastTier()
    assert stalled.claim("llm", KEY, ttl_s=60)
    caches[ALIAS].delete(f"llm:{KEY}:flight")
    assert successor.claim("llm", KEY, ttl_s=60)

    stalled.renew("llm", KEY, ttl_s=60)
    stalled.release("llm", KEY)

    assert not FastTier().claim("llm", KEY, ttl_s=60)
