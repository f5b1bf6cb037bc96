"""A database whose disk is full: no call is begun, what was paid for waits, and runs go on when there is room again."""

import asyncio
import threading
from typing import Any

import pytest
from django.db import OperationalError, connection

from councils.engine.types import RunStatus
from councils.models import CallStatus, ModelCall
from councils.runner import writer
from councils.runner.host import EngineHost
from councils.tests.durability.support import Asker, ended, wait_until

# What PostgreSQL says then has this number (class 53, insufficient resources).
REFUSE = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
WRITES = ("INSERT", "UPDATE", "DELETE")


class FullDisk:
    """What an engine writes is refused by its own database while ``full`` is set. It can still read."""

    def __init__(self, engine: EngineHost) -> None:
        self.full = threading.Event()
        self.refused = 0
        assert engine._loop is not None
        asyncio.run_coroutine_threadsafe(engine._writer(self._install), engine._loop).result(30)

    def _install(self) -> None:
        connection.execute_wrappers.append(self._execute)

    def _execute(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not self.full.is_set() or not sql.startswith(WRITES):
            return execute(sql, params, many, context)
        self.refused += 1
        if connection.vendor == "postgresql":
            return execute(REFUSE, None, False, context)
        raise OperationalError("database or disk is full")

    def refuse(self, times: int) -> None:
        """Wait until so many more writes were refused."""
        before = self.refused
        wait_until(lambda: self.refused >= before + times, "writes are refused")


@pytest.fixture
def disk(engine: EngineHost, monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    monkeypatch.setattr(writer, "AWAY_S", 0.05)
    return FullDisk(engine)


def test_no_call_begins_while_the_disk_is_full_and_the_run_goes_on_afterwards(ask: Asker, disk: FullDisk) -> None:
    run = ask(*["tokens=20,rate=80"] * 3)
    wait_until(lambda: ModelCall.objects.filter(run=run, status=CallStatus.SENDING).count() == 3, "all seats are asked")

    disk.full.set()
    wait_until(lambda: len(ask.log_of(run)) == 3, "all have answered")
    disk.refuse(10)

    assert len(ask.log_of(run)) == ModelCall.objects.filter(run=run).count() == 3
    disk.full.clear()
    assert ended(run).status == RunStatus.SUCCEEDED
    assert {call.status for call in ModelCall.objects.filter(run=run)} == {CallStatus.DONE}
    assert len(ask.log_of(run)) == 7


def test_a_question_that_waits_while_the_disk_is_full_is_answered_afterwards(ask: Asker, disk: FullDisk) -> None:
    disk.full.set()
    run = ask("", "", "")
    disk.refuse(2)

    assert ask.log_of(run) == []
    disk.full.clear()
    assert ended(run).status == RunStatus.SUCCEEDED
    assert (len(ask.log_of(run)), run.barren_deaths) == (7, 0)
