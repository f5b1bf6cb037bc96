"""What looks after runs goes on looking, whatever one look brings."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from councils import posting
from councils.runner import host
from councils.runner.host import EngineHost
from councils.store.claims import live_runs
from councils.tests.durability.support import wait_until


def failing_once(real: Any, looks: list[int]) -> Any:
    """``real``, but the second call meets a fault that nobody foresaw. Calls are noted in ``looks``."""

    def look(*args: Any) -> Any:
        looks.append(len(looks))
        if len(looks) == 2:
            raise ValueError("nobody foresaw this")
        return real(*args)

    return look


def test_the_scan_outlives_a_fault_that_nobody_foresaw(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(host, "SCAN_S", 0.01)
    monkeypatch.setattr(host, "live_runs", failing_once(live_runs, looks))
    engine = EngineHost()
    engine.start()
    try:
        wait_until(lambda: len(looks) > 3, "it looks again")
    finally:
        engine.stop()

    assert "nobody foresaw this" in caplog.text


async def test_keeping_drafts_outlives_a_fault_that_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(host, "keep_drafts", failing_once(lambda _: None, kept))
    engine = EngineHost()

    class Talking:
        """A run that always has something new."""

        run_id = "r" * 26
        dirty = property(lambda _: True, lambda _, __: None)

        def drafts(self) -> dict[str, str]:
            return {}

    engine._driving[1] = SimpleNamespace(work=SimpleNamespace(broadcast=Talking()))  # type: ignore[assignment]
    keeping = asyncio.create_task(engine._again(engine._keep_drafts, every_s=0.01))
    async with asyncio.timeout(30):
        while len(kept) < 4:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])

    assert "nobody foresaw this" in caplog.text


def test_a_message_that_cannot_be_sent_does_not_keep_back_the_next(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[tuple[Any, ...]] = []

    def delay(*args: Any) -> None:
        if args == (1,):
            raise ValueError("nobody foresaw this")
        sent.append(args)

    poster, task = posting.Poster(), SimpleNamespace(name="task", delay=delay)
    with caplog.at_level(logging.ERROR):
        for number in (0, 1, 2):
            poster.post(task, number)
        poster.settle()

    assert sent == [(0,), (2,)]
    assert "nobody foresaw this" in caplog.text


def test_an_engine_that_cannot_start_says_so_and_may_try_again(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EngineHost()
    with monkeypatch.context() as patched:
        patched.setattr(host, "Writer", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            engine.start()
    assert not engine.running

    engine.start()
    engine.stop()
