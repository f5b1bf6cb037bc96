"""Redis hangs, dies, or forgets everything, while the web process and a worker serve: nobody is refused, and nobody misses an event."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from benchmarks.fake.server import Running
from councils.tests.full.stack import Access, OwnRedis, Stack, installation, until

pytestmark = pytest.mark.full
PAGES = ("/", "/conversations/", "/settings/")


@pytest.fixture(scope="module")
def stack(fake_provider: Running) -> Iterator[Stack]:
    # Limits on, so that they ask Redis too; nobody reaches them.
    limits = {"RATE_LIMIT_REQUESTS": "100000", "RATE_LIMIT_BURST": "1000", "ENABLE_CACHE": "true"}
    with installation("redis", **limits) as stack, stack.web():
        yield stack


@pytest.fixture(scope="module")
def access(stack: Stack, fake_provider: Running) -> Access:
    return stack.stage(fake_provider.url, slug="redis", behaviour="tokens=30,rate=60")


@pytest.fixture(scope="module")
def working(stack: Stack, access: Access) -> Iterator[None]:
    """A worker that has begun to work before the faults come."""
    with stack.worker("one"):
        stack.ended(access, stack.start_run(access))
        yield


@contextmanager
def frozen(redis: OwnRedis) -> Iterator[None]:
    redis.freeze()
    try:
        yield
    finally:
        redis.thaw()


@contextmanager
def dead(redis: OwnRedis) -> Iterator[None]:
    redis.kill()
    try:
        yield
    finally:
        redis.start()


@contextmanager
def emptied(redis: OwnRedis) -> Iterator[None]:
    redis.flush()
    yield
    redis.flush()


def sign_in(stack: Stack) -> int:
    """The status that somebody who tries a wrong password gets: limits and session are asked on the way."""
    with httpx.Client(base_url=stack.site, timeout=30) as browser:
        token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', browser.get("/sign-in/").text)
        assert token
        form = {"username": "nobody", "password": "wrong", "csrfmiddlewaretoken": token[1]}
        return browser.post("/sign-in/", data=form, headers={"Referer": stack.site}).status_code


def test_a_worker_that_starts_while_redis_hangs_drives_runs(stack: Stack, access: Access) -> None:
    with frozen(stack.redis), stack.worker("late"):
        record = stack.ended(access, stack.start_run(access))

    assert record["status"] == "succeeded"


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize("ill", [frozen, dead, emptied])
def test_a_run_is_asked_for_watched_and_finished_while_redis_is_ill(
    stack: Stack, access: Access, ill: Callable[[OwnRedis], Iterator[None]]
) -> None:
    with ill(stack.redis):  # type: ignore[attr-defined]
        run_id = stack.start_run(access)
        events, _ = asyncio.run(stack.watch(access, run_id))
        browser = {"Cookie": f"sessionid={access.session}"}
        pages = {page: httpx.get(stack.site + page, headers=browser, timeout=30).status_code for page in PAGES}
        signed_in = sign_in(stack)

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["status"] == "succeeded"
    assert pages == dict.fromkeys(PAGES, 200)
    assert signed_in == 200


@pytest.mark.usefixtures("working")
def test_text_is_seen_as_it_is_written_again_soon_after_redis_is_back(stack: Stack, access: Access) -> None:
    with dead(stack.redis):
        asyncio.run(stack.watch(access, stack.start_run(access)))

    until(lambda: asyncio.run(stack.watch(access, stack.start_run(access)))[1] > 5, "text comes through Redis again")
