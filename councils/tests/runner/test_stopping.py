"""A run is stopped wherever it is: what was begun is booked, the run is free, and nothing goes wrong on the way."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from councils.caching.fast import ALIAS
from councils.caching.flights import Flights
from councils.caching.shelf import Shelf
from councils.engine.types import RunStatus
from councils.models import CachedResponse, CallStatus, CouncilRun, ModelCall
from councils.runner import host
from councils.runner.drive import Driver
from councils.runner.host import EngineHost
from councils.runner.switchboard import Switchboard
from councils.runner.work import RunWork
from councils.runner.writer import Writer
from councils.store.claims import claim_run
from councils.store.signs import sign_off
from councils.tests.durability.support import wait_until
from councils.tests.runner.lives import audit_scripted, play
from councils.tests.runner.scripts import Scripted

STRIDE = 41
"""Every so manieth await is tried, beginning at another one with and without a cache."""


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells whenever it begins to wait."""

    def __init__(self, inner: Coroutine[Any, Any, Any], note: Callable[[], None]) -> None:
        self._inner = inner
        self._note = note

    def send(self, value: Any) -> Any:
        waits_for = self._inner.send(value)
        self._note()
        return waits_for

    def throw(self, *fault: Any) -> Any:
        waits_for = self._inner.throw(*fault)
        self._note()
        return waits_for

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


class Awaits:
    """Counts the awaits of all tasks of a loop, and cancels one task at one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.victim: asyncio.Task[None] | None = None

    def make_task(self, loop: asyncio.AbstractEventLoop, inner: Any, **options: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(_Watched(inner, self._note), loop=loop, **options)

    def _note(self) -> None:
        self.count += 1
        if self.count == self.at and self.victim is not None:
            self.victim.cancel()


async def drive_until(run_pk: int, awaits: Awaits) -> None:
    """Drive a run that is free, and stop it as a host does."""
    writer = Writer()
    try:
        claimed = await writer(claim_run, run_pk, worker="first")
        assert claimed is not None
        asyncio.get_running_loop().set_task_factory(awaits.make_task)
        driver = Driver(RunWork.of(claimed, writer, Switchboard(), Flights(Shelf(writer))))
        awaits.victim = asyncio.create_task(driver.run())
        await asyncio.wait([awaits.victim])
    finally:
        await asyncio.to_thread(writer.close)


@pytest.mark.parametrize("cache", [False, True], ids=["plain", "cached"])
def test_a_run_that_is_stopped_at_any_await_is_free_and_has_no_open_call(
    scripted: Callable[..., Scripted], settings: Settings, caplog: pytest.LogCaptureFixture, cache: bool
) -> None:
    settings.ENABLE_CACHE = cache
    # As where several processes share a cache: whoever asks a model holds a claim meanwhile.
    settings.REDIS_CACHE_URL = settings.REDIS_CACHE_URL or "redis://shared"
    council = scripted()
    awaits = Awaits(at=1 + cache * STRIDE // 2)
    while True:
        caches[ALIAS].clear()
        CachedResponse.objects.all().delete()
        run = council.ask()
        asyncio.run(drive_until(run.pk, awaits))
        if awaits.count < awaits.at:
            break
        where = f"stopped at await {awaits.at}"
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [], where
        assert not ModelCall.objects.filter(run=run, status=CallStatus.SENDING).exists(), where
        run.refresh_from_db()
        assert run.worker == "", where
        ended = play(run).run
        assert (ended.status, ended.barren_deaths) == (RunStatus.SUCCEEDED, 0), where
        assert audit_scripted(ended, council.provider).problems == [], where
        council.provider.requests.clear()
        awaits = Awaits(awaits.at + STRIDE)

    assert awaits.at > 2 * STRIDE
    assert CouncilRun.objects.get(pk=run.pk).status == RunStatus.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_whoever_stops_an_engine_that_is_being_stopped_returns_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is told to stop by a signal, and comes to its own end meanwhile: it must not take the threads from under the hand-over."""
    signing_off, go_on = threading.Event(), threading.Event()

    def slowly(worker: str) -> None:
        signing_off.set()
        go_on.wait(30)
        sign_off(worker)

    monkeypatch.setattr(host, "sign_off", slowly)
    engine = EngineHost()
    engine.start()
    first, second = (threading.Thread(target=engine.stop) for _ in range(2))
    first.start()
    signing_off.wait(30)
    second.start()
    second.join(0.05)

    assert second.is_alive(), "it waits for the one who came first"
    go_on.set()
    for thread in (first, second):
        thread.join(30)
    wait_until(lambda: not first.is_alive() and not second.is_alive(), "both return")
    assert not engine.running
    engine.start()
    engine.stop()
