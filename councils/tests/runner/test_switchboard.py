"""Which endpoint is asked: the least busy one that works, in turn, and none that is left alone."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from councils.engine.errors import BrokenStream, ConnectFailed, EndpointUnavailable, ProviderError, ProviderUnavailable, RateLimited
from councils.providers.breaker import BreakerPolicy, BreakerState
from councils.runner.switchboard import Lease, Switchboard
from councils.snapshot import ModelTarget
from councils.tests.runner.targets import target

POLICY = BreakerPolicy(failures=2, pause_s=10)


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Switchboard:
    return Switchboard(POLICY, now=clock)


async def take(board: Switchboard, model: ModelTarget, stack: AsyncExitStack, resting: frozenset[str] = frozenset()) -> str:
    lease = await stack.enter_async_context(await board.lease(model, resting=resting))
    return lease.endpoint.base_url


async def break_down(board: Switchboard, model: ModelTarget, name: str, error: ProviderError | None = None) -> None:
    """Let this endpoint fail, in this way, until it or the model there is left alone."""
    others = frozenset(endpoint.base_url for endpoint in model.endpoints) - {name}
    for _ in range(POLICY.failures):
        async with await board.lease(model, resting=others) as lease:
            lease.failed(error or ConnectFailed())


async def settle() -> None:
    """Let everybody run who can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calls_are_spread_by_how_busy_each_endpoint_is_for_its_size(board: Switchboard) -> None:
    async with AsyncExitStack() as stack:
        asked = Counter([await take(board, target(2, 4), stack) for _ in range(6)])

    assert asked == {"http://a": 2, "http://b": 4}


async def test_among_equals_the_provider_s_own_address_comes_first(board: Switchboard) -> None:
    async with AsyncExitStack() as stack:
        assert await take(board, target(1, 1, 1), stack) == "http://a"


async def test_where_all_are_full_calls_wait_their_turn(board: Switchboard) -> None:
    order: list[int] = []

    async def call(number: int) -> None:
        async with await board.lease(target(1)):
            order.append(number)
            await asyncio.sleep(0)

    async with AsyncExitStack() as stack:
        await take(board, target(1), stack)
        calls = [asyncio.create_task(call(number)) for number in range(4)]
        await settle()
        assert order == []
    await asyncio.gather(*calls)

    assert order == [0, 1, 2, 3]


async def test_whoever_waits_takes_the_first_endpoint_that_is_free(board: Switchboard) -> None:
    first, second = AsyncExitStack(), AsyncExitStack()
    await take(board, target(1, 1), first)
    await take(board, target(1, 1), second)
    waiting = asyncio.create_task(board.lease(target(1, 1)))
    await settle()

    await second.aclose()
    async with await waiting as lease:
        assert lease.endpoint.base_url == "http://b"
    await first.aclose()


async def test_an_endpoint_that_is_left_alone_is_not_asked_and_another_is(board: Switchboard) -> None:
    await break_down(board, target(1, 1), "http://a")

    async with AsyncExitStack() as stack:
        assert await take(board, target(1, 1), stack) == "http://b"


async def test_where_every_endpoint_is_left_alone_nobody_waits(board: Switchboard) -> None:
    for name in ("http://a", "http://b"):
        await break_down(board, target(1, 1), name)

    with pytest.raises(EndpointUnavailable):
        await board.lease(target(1, 1))


@pytest.mark.parametrize("error", [ProviderUnavailable(), BrokenStream()])
async def test_a_model_that_fails_is_left_alone_and_the_others_at_its_address_are_asked(board: Switchboard, error: ProviderError) -> None:
    shaky, steady = target(1, name="shaky"), target(1, name="steady")
    await break_down(board, shaky, "http://a", error)

    with pytest.raises(EndpointUnavailable):
        await board.lease(shaky)
    async with await board.lease(steady) as lease:
        lease.succeeded()
    # That another one answers says nothing of this one.
    assert board.state(1, shaky.endpoints[0], "shaky") is BreakerState.OPEN
    assert board.state(1, shaky.endpoints[0]) is BreakerState.CLOSED


async def test_an_address_that_cannot_be_reached_is_left_alone_for_all_its_models(board: Switchboard) -> None:
    for name in ("first", "second"):
        async with await board.lease(target(1, name=name)) as lease:
            lease.failed(ConnectFailed())

    with pytest.raises(EndpointUnavailable):
        await board.lease(target(1, name="third"))


async def test_those_who_wait_for_another_model_keep_their_turn_where_one_is_left_alone(board: Switchboard) -> None:
    shaky, steady = target(2, name="shaky"), target(2, name="steady")
    leases = [await board.lease(shaky) for _ in range(POLICY.failures)]
    order: list[int] = []

    async def call(number: int) -> None:
        async with await board.lease(steady):
            order.append(number)
            await asyncio.sleep(0)

    in_vain = [asyncio.create_task(board.lease(shaky)) for _ in range(3)]
    calls = [asyncio.create_task(call(number)) for number in range(6)]
    await settle()
    for lease in leases:
        lease.failed(ProviderUnavailable())
        async with lease:
            pass
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*in_vain, return_exceptions=True)
        await asyncio.gather(*calls)

    assert EndpointUnavailable in {type(outcome) for outcome in outcomes}
    assert order == sorted(order)


async def test_a_slot_goes_on_to_who_can_use_it_where_the_first_in_line_cannot(board: Switchboard, clock: Clock) -> None:
    shaky, steady = target(1, name="shaky"), target(1, name="steady")
    await break_down(board, shaky, "http://a", ProviderUnavailable())
    clock.now += POLICY.pause_s
    busy = await board.lease(steady)
    first, second = asyncio.create_task(board.lease(shaky)), asyncio.create_task(board.lease(steady))
    await settle()
    # Somebody with a wider limit tries the model first, so that the first in line must not.
    probe = await board.lease(target(2, name="shaky"))
    async with probe:
        async with busy:
            pass
        await settle()
        assert isinstance(first.exception(), EndpointUnavailable)
    async with asyncio.timeout(20):
        async with await second as lease:
            lease.succeeded()


async def test_those_who_wait_for_an_endpoint_learn_at_once_that_it_is_left_alone(board: Switchboard) -> None:
    model = target(2)
    first, second = await board.lease(model), await board.lease(model)
    waiting = [asyncio.create_task(board.lease(model)) for _ in range(20)]
    await settle()

    for lease in (first, second):
        lease.failed(ConnectFailed())
    async with first, second:
        pass
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [EndpointUnavailable] * 20


async def test_after_the_pause_one_call_tries_and_the_others_are_not_kept_waiting(board: Switchboard, clock: Clock) -> None:
    await break_down(board, target(5), "http://a")
    clock.now += POLICY.pause_s

    async with await board.lease(target(5)) as probe:
        with pytest.raises(EndpointUnavailable):
            await board.lease(target(5))
        probe.succeeded()

    assert board.state(1, target(5).endpoints[0]) is BreakerState.CLOSED


async def test_a_probe_that_is_cancelled_lets_another_try(board: Switchboard, clock: Clock) -> None:
    await break_down(board, target(5), "http://a")
    clock.now += POLICY.pause_s
    async with await board.lease(target(5)):
        pass

    async with await board.lease(target(5)) as probe:
        assert isinstance(probe, Lease)


async def test_a_limit_on_the_rate_does_not_close_an_endpoint(board: Switchboard) -> None:
    for _ in range(10):
        async with await board.lease(target(1)) as lease:
            lease.failed(RateLimited())

    assert board.state(1, target(1).endpoints[0]) is BreakerState.CLOSED


async def test_an_address_is_another_one_at_another_provider(board: Switchboard) -> None:
    await break_down(board, target(1, provider_id=1), "http://a")

    async with AsyncExitStack() as stack:
        assert await take(board, target(1, provider_id=2), stack) == "http://a"


async def test_an_address_that_must_rest_is_passed_over(board: Switchboard) -> None:
    async with AsyncExitStack() as stack:
        assert await take(board, target(1, 1), stack, frozenset({"http://a"})) == "http://b"
    with pytest.raises(EndpointUnavailable):
        await board.lease(target(1), resting=frozenset({"http://a"}))


async def test_a_changed_limit_counts_for_those_who_have_it(board: Switchboard) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await take(board, target(3), stack)
        assert await take(board, target(4), stack) == "http://a"


async def test_a_provider_is_said_to_work_now_and_then_and_after_a_refusal_at_once(board: Switchboard, clock: Clock) -> None:
    assert [board.all_clear_is_due(1) for _ in range(3)] == [True, False, False]
    board.note_refusal(1)
    assert [board.all_clear_is_due(1) for _ in range(2)] == [True, False]
    clock.now += 61
    assert board.all_clear_is_due(1)


@pytest.mark.parametrize("seed", range(20))
async def test_after_any_mix_of_calls_and_cancellations_every_slot_is_free_and_no_limit_was_broken(seed: int) -> None:
    dice, board = random.Random(seed), Switchboard(BreakerPolicy(failures=3, pause_s=0.0))
    models = [target(2, 1, name=name) for name in ("first", "second")]
    limits = {endpoint.base_url: endpoint.max_parallel_calls for endpoint in models[0].endpoints}
    open_now: Counter[str] = Counter()

    async def call() -> None:
        resting = frozenset(dice.sample(sorted(limits), dice.randint(0, 1)))
        async with await board.lease(dice.choice(models), resting=resting) as lease:
            open_now[lease.endpoint.base_url] += 1
            try:
                assert open_now[lease.endpoint.base_url] <= limits[lease.endpoint.base_url]
                for _ in range(dice.randint(0, 4)):
                    await asyncio.sleep(0)
                if dice.random() < 0.4:
                    lease.failed(dice.choice([ConnectFailed(), ProviderUnavailable()]))
                elif dice.random() < 0.7:
                    lease.succeeded()
            finally:
                open_now[lease.endpoint.base_url] -= 1

    calls = [asyncio.create_task(call()) for _ in range(60)]
    for task in dice.sample(calls, 20):
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} <= {type(None), asyncio.CancelledError, EndpointUnavailable}
    assert sum(open_now.values()) == 0
    assert all(board.line(1, endpoint).open_calls == 0 for endpoint in models[0].endpoints)
