"""However many ask at once, from threads and from processes: a budget for ten questions starts exactly ten."""

import os
import subprocess
import sys
from collections import Counter
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

import pytest
from django.db import connection, connections

from councils.models import AtLimit, Budget, BudgetAccount, BudgetPeriod, CouncilConfiguration, CouncilRun, User
from councils.services.asking import snapshot_to_ask
from councils.services.estimating import Matter, estimate_run
from councils.services.reconciling import differences
from councils.store.runs import cancel
from councils.tests.durability.starting import ask_at_once
from councils.tests.factories import make_council

ROOT = Path(__file__).resolve().parents[3]
ROOM, STARTS, PROCESSES = 10, 200, 2


@pytest.fixture
def council(transactional_db: None) -> CouncilConfiguration:
    return make_council(slug="asked-at-once")


@pytest.fixture
def budget(asker: User, council: CouncilConfiguration) -> Budget:
    """One that pays for ten questions of this user, beside two that everybody shares and that would pay for more."""
    estimate = estimate_run(snapshot_to_ask(council, seed="seed"), Matter(question="Which is best?"))
    assert estimate.high
    limit = (estimate.high * ROOM).quantize(Decimal("0.0001"), ROUND_CEILING)
    assert limit < estimate.high * (ROOM + 1)
    Budget.objects.create(limit_usd=limit * 3)
    Budget.objects.create(limit_usd=limit * 2, council=council, period=BudgetPeriod.DAY, at_limit=AtLimit.PARTIAL)
    return Budget.objects.create(limit_usd=limit, user=asker)


def assert_exactly_ten(outcomes: Counter[str], budget: Budget) -> None:
    assert outcomes == {"started": ROOM, "refused": STARTS - ROOM}
    assert CouncilRun.objects.count() == ROOM
    assert differences() == []
    for run in CouncilRun.objects.all():
        cancel(run.pk, by=None)
    assert {account.reserved for account in BudgetAccount.objects.all()} == {0}
    assert differences() == []


def test_of_two_hundred_starts_by_threads_ten_are_admitted(asker: User, council: CouncilConfiguration, budget: Budget) -> None:
    assert_exactly_ten(ask_at_once(asker, council, STARTS), budget)


def test_of_two_hundred_starts_by_processes_ten_are_admitted(asker: User, council: CouncilConfiguration, budget: Budget) -> None:
    command = [sys.executable, "-m", "councils.tests.durability.starting", asker.username, council.slug, str(STARTS // PROCESSES)]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "council_site.settings_test", "TEST_DATABASE_URL": database_url()}
    # A file that two processes write must not be held by a connection of this one that waits.
    connections.close_all()
    started = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]

    outcomes: Counter[str] = Counter()
    for process in started:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        for line in said.splitlines():
            count, _, outcome = line.partition(" ")
            outcomes[outcome] += int(count)

    assert_exactly_ten(outcomes, budget)


def database_url() -> str:
    """Where the tests' own database is, for another process."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    address = os.environ["TEST_DATABASE_URL"].rpartition("/")[0]
    return f"{address}/{connection.settings_dict['NAME']}"
