"""What other processes say about watched runs reaches the viewers here, by one connection that always comes back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pytest_django.fixtures import Settings

from councils.live import bridge
from councils.live.bridge import Bridge
from councils.live.hub import Viewer, hub
from councils.live.messages import PROCESS_ID, channel_name
from councils.tests.live.tiny_redis import TinyRedis, tiny_redis, until

RUN, OTHER = "r" * 26, "s" * 26


@pytest.fixture
async def redis() -> AsyncIterator[TinyRedis]:
    async with tiny_redis() as server:
        yield server


@pytest.fixture
async def across(redis: TinyRedis) -> AsyncIterator[Bridge]:
    across = Bridge(redis.url)
    yield across
    if across._task is not None:
        across._task.cancel()
        await asyncio.wait([across._task])


class Ear:
    """A viewer of this process."""

    def __init__(self, across: Bridge, run_id: str = RUN) -> None:
        self.told: list[str] = []
        self._across, self._run_id = across, run_id
        self._viewer = Viewer(asyncio.get_running_loop(), self.told.append)

    def __enter__(self) -> "Ear":
        hub.subscribe(self._run_id, self._viewer)
        self._across.look()
        return self

    def __exit__(self, *_: object) -> None:
        hub.unsubscribe(self._run_id, self._viewer)
        self._across.look()


def listeners(redis: TinyRedis, run_id: str = RUN) -> int:
    return len(redis.subscribers[channel_name(run_id)])


async def test_a_hundred_viewers_of_a_run_cost_one_subscription(redis: TinyRedis, across: Bridge) -> None:
    ears = [Ear(across) for _ in range(100)]
    for ear in ears:
        ear.__enter__()
    await until(lambda: listeners(redis) == 1)
    redis.publish(channel_name(RUN), "elsewhere hello")
    await until(lambda: all(ear.told for ear in ears))

    assert {text for ear in ears for text in ear.told} == {"hello"}
    assert (listeners(redis), redis.connections) == (1, 1)
    for ear in ears:
        ear.__exit__()


async def test_each_run_is_heard_by_its_own_viewers_only(redis: TinyRedis, across: Bridge) -> None:
    with Ear(across) as one, Ear(across, OTHER) as two:
        await until(lambda: listeners(redis) == listeners(redis, OTHER) == 1)
        redis.publish(channel_name(RUN), "elsewhere first")
        redis.publish(channel_name(OTHER), "elsewhere second")
        await until(lambda: bool(one.told and two.told))

    assert (one.told, two.told) == (["first"], ["second"])


async def test_what_nobody_watches_any_more_is_not_listened_to(redis: TinyRedis, across: Bridge) -> None:
    with Ear(across):
        await until(lambda: listeners(redis) == 1)
        with Ear(across, OTHER):
            await until(lambda: listeners(redis, OTHER) == 1)
        await until(lambda: listeners(redis, OTHER) == 0)
        assert listeners(redis) == 1


async def test_what_this_process_said_is_not_heard_twice(redis: TinyRedis, across: Bridge) -> None:
    with Ear(across) as ear:
        await until(lambda: listeners(redis) == 1)
        redis.publish(channel_name(RUN), f"{PROCESS_ID} mine")
        redis.publish(channel_name(RUN), "elsewhere theirs")
        await until(lambda: bool(ear.told))

    assert ear.told == ["theirs"]


async def test_it_comes_back_after_redis_died(redis: TinyRedis, across: Bridge) -> None:
    with Ear(across) as ear:
        await until(lambda: listeners(redis) == 1)
        await redis.die()
        await until(lambda: not across.listening)
        await redis.start()
        await until(lambda: listeners(redis) == 1)
        redis.publish(channel_name(RUN), "elsewhere back")
        await until(lambda: bool(ear.told))

    assert ear.told == ["back"]


async def test_viewers_may_come_while_redis_is_down(redis: TinyRedis, across: Bridge) -> None:
    await redis.die()
    with Ear(across) as ear:
        await asyncio.sleep(0.1)
        await redis.start()
        await until(lambda: listeners(redis) == 1)
        redis.publish(channel_name(RUN), "elsewhere at last")
        await until(lambda: bool(ear.told))


async def test_a_connection_that_went_silent_is_given_up(redis: TinyRedis, across: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "PING_S", 0.05)
    monkeypatch.setattr(bridge, "SILENCE_S", 0.3)
    with Ear(across):
        await until(lambda: listeners(redis) == 1)
        redis.mute = True
        await until(lambda: redis.connections > 1)
        redis.mute = False
        await until(lambda: bool(across.listening))


async def test_a_connection_on_which_nothing_happens_but_pings_stays(
    redis: TinyRedis, across: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "PING_S", 0.02)
    with Ear(across):
        await until(lambda: listeners(redis) == 1)
        await until(lambda: redis.pings >= 10)

        assert redis.connections == 1


async def test_viewers_who_come_and_go_without_end_keep_no_ping_back(
    redis: TinyRedis, across: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "PING_S", 0.3)

    def come_and_go() -> bool:
        # Of a run that is watched already: there is nothing new to say to Redis.
        with Ear(across):
            return redis.pings >= 2

    with Ear(across):
        await until(lambda: listeners(redis) == 1)
        await until(come_and_go)

        assert redis.connections == 1


async def test_garbage_on_a_channel_breaks_nothing(redis: TinyRedis, across: Bridge) -> None:
    with Ear(across) as ear:
        await until(lambda: listeners(redis) == 1)
        for garbage in ("", " ", "no-space", '{"type":"event"}'):
            redis.publish(channel_name(RUN), garbage)
        redis.publish(channel_name(RUN), "elsewhere fine")
        await until(lambda: "fine" in ear.told)


async def test_without_redis_there_is_no_bridge(settings: Settings) -> None:
    settings.REDIS_URL = ""

    bridge.look()

    assert asyncio.get_running_loop() not in bridge._bridges
