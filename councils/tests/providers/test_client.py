import asyncio
import gc
import weakref
from typing import Any, cast

import httpx

from councils.providers import client
from councils.providers.egress import DENY_PRIVATE, EgressPolicy


async def test_all_calls_of_a_loop_share_one_client() -> None:
    first = client.client_for_running_loop()

    assert client.client_for_running_loop(DENY_PRIVATE) is first
    await client.aclose()


async def test_another_policy_never_shares_connections() -> None:
    strict = client.client_for_running_loop()

    assert client.client_for_running_loop(EgressPolicy(frozenset({"ollama:11434"}))) is not strict
    await client.aclose()


async def test_a_closed_client_is_replaced() -> None:
    first = client.client_for_running_loop()
    await client.aclose()

    assert first.is_closed
    assert not client.client_for_running_loop().is_closed
    await client.aclose()


async def test_closing_twice_does_nothing() -> None:
    client.client_for_running_loop()
    await client.aclose()
    await client.aclose()


def test_each_loop_has_its_own_client() -> None:
    async def mine() -> httpx.AsyncClient:
        own = client.client_for_running_loop()
        await client.aclose()
        return own

    assert asyncio.run(mine()) is not asyncio.run(mine())


def test_a_loop_that_is_gone_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    trace = weakref.ref(loop)

    async def use() -> None:
        client.client_for_running_loop()
        await client.aclose()

    loop.run_until_complete(use())
    loop.close()
    del loop
    gc.collect()

    assert trace() is None


async def test_the_client_follows_nothing_from_outside() -> None:
    made = client.new_client()

    assert made.follow_redirects is False
    assert made.trust_env is False
    await made.aclose()


async def test_connections_are_not_limited_by_the_pool() -> None:
    made = client.new_client()
    transport = cast("Any", made._transport)

    assert transport.client.connector.limit == 0
    await made.aclose()
