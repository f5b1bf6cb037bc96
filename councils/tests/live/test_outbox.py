"""What leaves a process for viewers elsewhere: in order while Redis takes it, dropped while it does not, and nobody ever waits."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pytest_django.fixtures import Settings

from councils.live import outbox
from councils.live.outbox import Outbox
from councils.tests.live.tiny_redis import PATIENCE_S, TinyRedis, tiny_redis, until

CHANNEL = "council.run.r"


@pytest.fixture
async def redis() -> AsyncIterator[TinyRedis]:
    async with tiny_redis() as server:
        yield server


@pytest.fixture
async def box(redis: TinyRedis) -> AsyncIterator[Outbox]:
    box = Outbox(redis.url)
    yield box
    if box._task is not None:
        box._task.cancel()
        await asyncio.wait([box._task])


async def test_everything_arrives_in_order_over_one_connection(redis: TinyRedis, box: Outbox) -> None:
    for number in range(350):
        box.put(CHANNEL, f"message {number}")
    await until(lambda: len(redis.published) == 350)

    assert redis.published == [(CHANNEL, f"message {number}") for number in range(350)]
    assert (redis.connections, box.dropped) == (1, 0)


async def test_a_redis_that_is_down_costs_what_was_said_meanwhile_and_no_more(redis: TinyRedis, box: Outbox) -> None:
    await redis.die()
    box.put(CHANNEL, "lost")
    await until(lambda: box.dropped == 1)
    await redis.start()

    async with asyncio.timeout(PATIENCE_S):
        while not redis.published:
            box.put(CHANNEL, "again")
            await asyncio.sleep(0.05)

    assert set(redis.published) == {(CHANNEL, "again")}


async def test_a_redis_that_hangs_is_left_after_a_while_and_found_again(
    redis: TinyRedis, box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SEND_S", 0.2)
    redis.mute = True
    box.put(CHANNEL, "swallowed")
    await until(lambda: box.dropped == 1)
    redis.mute = False
    redis.published.clear()

    async with asyncio.timeout(PATIENCE_S):
        while not redis.published:
            box.put(CHANNEL, "again")
            await asyncio.sleep(0.05)

    assert redis.published[0] == (CHANNEL, "again")


async def test_no_heap_grows_while_redis_hangs(redis: TinyRedis, box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "SEND_S", 5.0)
    redis.mute = True
    for _ in range(50):
        for _ in range(100):
            box.put(CHANNEL, "x" * 10_000)
        await asyncio.sleep(0)

    assert box.waiting * 10_000 <= outbox.MOST_CHARS_WAITING
    assert box.waiting <= outbox.MOST_WAITING
    assert box.dropped > 3_000


async def test_one_outage_is_not_a_try_and_a_line_in_the_log_per_message(
    redis: TinyRedis, box: Outbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("councils.live.link.FIRST_PAUSE_S", 60.0)
    box._backoff._next_s = 60.0
    await redis.die()
    for _ in range(200):
        box.put(CHANNEL, "lost")
        await asyncio.sleep(0.001)
    await until(lambda: box.dropped == 200)

    assert len([record for record in caplog.records if record.name == outbox.__name__]) == 1


async def test_without_redis_nothing_is_even_tried(settings: Settings) -> None:
    settings.REDIS_URL = ""

    outbox.put(CHANNEL, "for nobody")

    assert asyncio.get_running_loop() not in outbox._outboxes
