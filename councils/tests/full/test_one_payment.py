"""Two processes that share a Redis and a database ask the same at the same moment: it is paid once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from django.db import connection

from councils.models import CachedResponse
from councils.tests.full.stack import ROOT, OwnRedis, Stack, own_redis

ASK = "import django; django.setup(); from councils.tests.full.asking_alike import main; main()"

pytestmark = [pytest.mark.full, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True, slots=True)
class Heard:
    """What fifty askers heard, and how often a model was asked for it."""

    asked: int
    answers: list[str]


@dataclass(frozen=True, slots=True)
class Two:
    """Two processes, half of the askers in each."""

    processes: list[subprocess.Popen[str]]

    def ask(self, number: int) -> Heard:
        """Let all ask the same."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{number:064}\n")
            process.stdin.flush()
        told = [json.loads(_line(process)) for process in self.processes]
        return Heard(sum(part["asked"] for part in told), [answer for part in told for answer in part["heard"]])


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _start(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@contextmanager
def two_processes(redis: OwnRedis) -> Iterator[Two]:
    server = os.environ["TEST_DATABASE_URL"].rpartition("/")[0]
    environment = Stack(f"{server}/{connection.settings_dict['NAME']}", redis).env
    command = [sys.executable, "-c", ASK]
    with ExitStack() as ends:
        processes = [ends.enter_context(_start(command, environment)) for _ in range(2)]
        assert [_line(process) for process in processes] == ["ready\n"] * 2
        yield Two(processes)
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()


def test_fifty_who_ask_the_same_in_two_processes_pay_once() -> None:
    with own_redis() as redis, two_processes(redis) as two:
        first = two.ask(1)
        assert (first.asked, len(first.answers), len(set(first.answers))) == (1, 50, 1)

        redis.flush()
        later = two.ask(1)
        assert later == Heard(0, first.answers), "what Redis has forgotten, the database knows"

        redis.kill()
        without = two.ask(2)
        assert 1 <= without.asked <= 2, "without Redis a process still pays once for all its own"
        assert set(two.ask(1).answers) == set(first.answers)

    assert CachedResponse.objects.count() == 2
