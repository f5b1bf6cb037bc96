"""The full installation on one machine: web without an engine, a Celery worker, PostgreSQL, Redis, a viewer on a socket."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from benchmarks.fake.server import Running
from councils.tests.full.stack import Access, Stack, installation, until

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with installation("stack") as stack, stack.web():
        yield stack


@pytest.fixture(scope="module")
def access(stack: Stack, fake_provider: Running) -> Access:
    return stack.stage(fake_provider.url)


def test_a_worker_drives_a_run_that_the_api_started_and_a_viewer_watches_at_the_web_process(stack: Stack, access: Access) -> None:
    with stack.worker("one"):
        run_id = stack.start_run(access)
        events, deltas = asyncio.run(stack.watch(access, run_id))

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["status"] == "succeeded"
    # The text came through Redis while it was written, not only with the results.
    assert deltas > 10


def test_a_run_whose_worker_is_killed_is_finished_by_another(stack: Stack, access: Access) -> None:
    with stack.worker("doomed") as doomed:
        run_id = stack.start_run(access)
        until(lambda: stack.read_run(access, run_id)["opinions"], "the worker has begun")
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    with stack.worker("heir"):
        assert stack.ended(access, run_id)["status"] == "succeeded"


def test_a_run_started_while_the_broker_has_lost_its_message_is_found(stack: Stack, access: Access) -> None:
    run_id = stack.start_run(access)
    stack.redis.flush()
    with stack.worker("finder"):
        assert stack.ended(access, run_id)["status"] == "succeeded"
