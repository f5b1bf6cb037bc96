"""One thread writes for the whole engine: in order, several in one commit, and a fault of one is not the fault of others."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from councils.models import RunEvent, User
from councils.runner import writer as writers
from councils.runner.writer import Writer, _Job, _Turn

pytestmark = pytest.mark.django_db(transaction=True)


def add(name: str) -> str:
    with transaction.atomic():
        User.objects.create(username=name)
    return name


def count() -> int:
    return User.objects.count()


def add_then(error: Exception, name: str = "refused") -> None:
    with transaction.atomic():
        User.objects.create(username=name)
        raise error


def break_at_commit() -> None:
    """A row of a run that does not exist: databases notice it when they commit."""
    RunEvent.objects.create(run_id=999_999, seq=1, type="run_started")


@asynccontextmanager
async def a_writer() -> AsyncIterator[Writer]:
    writer = Writer()
    try:
        yield writer
    finally:
        # Closing joins the thread, which hands its results to this loop: so it must not block the loop.
        await asyncio.to_thread(writer.close)


async def occupied(writer: Writer) -> tuple[threading.Event, asyncio.Future[None]]:
    """Returns when the thread is busy, which it is until the gate is opened."""
    begun, gate = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        gate.wait(60)

    busy = asyncio.ensure_future(writer(hold))
    await asyncio.to_thread(begun.wait, 60)
    return gate, busy


async def in_one_batch(writer: Writer, *jobs: Callable[[], Any]) -> list[Any]:
    """Run these jobs in one commit: all are queued while the thread is busy with another."""
    gate, busy = await occupied(writer)
    waiting: list[Awaitable[Any]] = [asyncio.ensure_future(writer(job)) for job in jobs]
    await asyncio.sleep(0)
    gate.set()
    await busy
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_writes_are_done_in_order_and_answered() -> None:
    async with a_writer() as writer:
        results = await asyncio.gather(writer(add, "a"), writer(count), writer(add, "b"), writer(count))

    assert list(results) == ["a", 1, "b", 2]


async def test_a_sign_of_life_is_written_first_then_what_was_paid_for_then_the_rest() -> None:
    order: list[str] = []
    async with a_writer() as writer:
        gate, busy = await occupied(writer)
        begun = asyncio.ensure_future(writer(order.append, "begun"))
        await asyncio.sleep(0)
        paid = asyncio.ensure_future(writer.book(order.append, "paid"))
        await asyncio.sleep(0)
        alive = asyncio.ensure_future(writer.first(order.append, "alive"))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(busy, begun, paid, alive)

    assert order == ["alive", "paid", "begun"]


async def test_a_sign_of_life_that_comes_while_others_are_gathered_is_committed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    committed: list[list[str]] = []
    done: list[str] = []
    async with a_writer() as writer:
        gate, busy = await occupied(writer)
        waiting: list[Awaitable[Any]] = [asyncio.ensure_future(writer(done.append, name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        alive = _Job(partial(done.append, "alive"), asyncio.get_running_loop().create_future())
        get, commit, late = writer._jobs.get, writer._commit, [alive]

        def get_and_be_met() -> Any:
            job = get()
            if late:
                writer._jobs.put((_Turn.LIFE, 0, late.pop()))
            return job

        def commit_and_note(jobs: list[_Job]) -> None:
            done.clear()
            commit(jobs)
            committed.append(list(done))

        monkeypatch.setattr(writer._jobs, "get", get_and_be_met)
        monkeypatch.setattr(writer, "_commit", commit_and_note)
        gate.set()
        await asyncio.gather(busy, alive.future, *waiting)

    assert [names for names in committed if names] == [["a"], ["alive"], ["b"]]


async def test_a_refusal_fails_its_own_job_and_undoes_its_own_work() -> None:
    async with a_writer() as writer:
        results = await in_one_batch(writer, lambda: add("a"), lambda: add_then(ValueError("no")), lambda: add("b"))
        names = await writer(lambda: list(User.objects.order_by("username").values_list("username", flat=True)))

    assert (results[0], repr(results[1]), results[2]) == ("a", "ValueError('no')", "b")
    assert names == ["a", "b"]


async def test_a_database_that_is_away_fails_the_whole_batch_and_nothing_is_written() -> None:
    async with a_writer() as writer:
        results = await in_one_batch(writer, lambda: add("a"), lambda: add_then(OperationalError("gone")), lambda: add("b"))

        assert [type(result) for result in results] == [OperationalError] * 3
        assert await writer(count) == 0


async def test_what_only_the_commit_refuses_fails_alone_and_the_writer_goes_on() -> None:
    async with a_writer() as writer:
        results = await in_one_batch(writer, lambda: add("a"), break_at_commit, lambda: add("b"))

        assert [type(result) for result in results] == [str, IntegrityError, str]
        assert await writer(count) == 2
        assert await writer(add, "later") == "later"


async def test_nobody_hears_of_a_write_before_it_is_committed() -> None:
    seen: list[int] = []

    async def add_and_look(writer: Writer, name: str) -> None:
        await writer(add, name)
        seen.append(await asyncio.to_thread(count_and_close))

    async with a_writer() as writer:
        await asyncio.gather(*[add_and_look(writer, f"u{number}") for number in range(5)])

    # Another connection sees at least as many rows as were reported.
    assert all(found >= place for place, found in enumerate(seen, start=1))


def count_and_close() -> int:
    try:
        return count()
    finally:
        connection.close()


async def test_who_stops_waiting_does_not_undo_the_work() -> None:
    async with a_writer() as writer:
        gate, busy = await occupied(writer)
        waiting = asyncio.ensure_future(writer(add, "a"))
        await asyncio.sleep(0)
        waiting.cancel()
        gate.set()
        await busy

        assert await writer(count) == 1


async def test_closing_finishes_what_is_queued() -> None:
    async with a_writer() as writer:
        waiting = [asyncio.ensure_future(writer(add, f"u{number}")) for number in range(writers.BATCH + 5)]
        await asyncio.sleep(0)

    assert len(await asyncio.gather(*waiting)) == writers.BATCH + 5


async def test_what_was_paid_for_is_tried_again_until_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "AWAY_S", 0.01)
    faults = [OperationalError("gone"), OperationalError("still gone")]

    def unlucky() -> str:
        if faults:
            raise faults.pop()
        return add("a")

    async with a_writer() as writer:
        assert await writer.insist(unlucky) == "a"
        assert await writer(count) == 1


async def test_whoever_insists_can_still_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "AWAY_S", 0.01)

    async with a_writer() as writer:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await writer.insist(add_then, OperationalError("gone"))
