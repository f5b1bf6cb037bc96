"""Accounts are locked before runs, whoever writes: no two transactions wait for each other. SQLite has one writer and no such locks."""

import asyncio
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.runner.writer import Writer
from councils.services.reconciling import differences
from councils.store.budgets import lock_for
from councils.store.calls import begin_call
from councils.store.claims import claim_run
from councils.store.events import hold
from councils.store.ownership import Life, release, show_life
from councils.tests.factories import make_run
from councils.tests.store.support import ANSWERED, Owner, done, ref
from councils.tests.store.test_budgets import bind, make_account, money, state

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("postgres" not in str(connections.settings["default"]["ENGINE"]), reason="about locks of rows"),
]

KEY = "opinion:agent_1"
PATIENCE_S = 60


def until_somebody_waits() -> None:
    """Return when a session of this database waits for a lock."""
    deadline = time.monotonic() + PATIENCE_S
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.01)
    raise AssertionError("Nobody waits for a lock.")


def test_a_last_death_that_meets_a_late_booking_does_not_block_it(run: CouncilRun) -> None:
    account = make_account()
    bind(run, account, set_aside_usd="3")
    first = Owner.of(run)
    begun = begin_call(first.claim, ref(KEY), first.target, attempt=1, at_most_usd=Decimal(1))
    Owner.of(run, worker="second")
    Owner.of(run, worker="third")
    run.refresh_from_db()
    claims: list[object] = []

    def claim() -> None:
        claims.append(claim_run(run.pk, worker="fourth", dead=(run.epoch, run.heartbeat)))
        connection.close()

    claiming = threading.Thread(target=claim)
    with transaction.atomic():
        first.claim.lock_accounts()
        claiming.start()
        until_somebody_waits()
        first.settle(KEY, begun, ANSWERED, done())
    claiming.join()

    run.refresh_from_db()
    assert (claims, run.status) == ([None], "failed")
    assert state(account) == money("0.5", "0")


async def test_a_batch_that_claims_a_run_locks_its_accounts_before_any_run() -> None:
    free, paid = await asyncio.to_thread(_a_free_and_a_paid_run)

    outcomes = await meet(
        lambda: lock_for(paid.pk),
        lambda: hold(free.run.pk),
        partial(release, free.claim, elapsed_ms=1),
        partial(claim_run, paid.pk, worker="first"),
    )

    assert outcomes[1] is not None
    assert await asyncio.to_thread(_differences_and_close) == []


async def test_a_batch_locks_its_runs_in_the_order_of_their_numbers_whatever_came_first() -> None:
    low, high = await asyncio.to_thread(_two_runs)

    outcomes = await meet(
        lambda: hold(low.run.pk),
        lambda: hold(high.run.pk),
        partial(release, high.claim, elapsed_ms=1),
        partial(release, low.claim, elapsed_ms=1),
    )

    assert outcomes == [None, None]


def test_a_sign_of_life_does_not_wait_for_a_run_that_somebody_else_moves() -> None:
    moved, other = (Owner.of(make_run(status=RunStatus.QUEUED)) for _ in range(2))
    told: list[list[int]] = []

    def tell() -> None:
        told.append(show_life([Life(moved.claim, 1), Life(other.claim, 1)]))
        connection.close()

    with transaction.atomic():
        hold(moved.run.pk)
        telling = threading.Thread(target=tell)
        telling.start()
        telling.join(PATIENCE_S)

    assert told == [[]], "neither waited nor lost"
    assert [CouncilRun.objects.get(pk=owner.run.pk).heartbeat for owner in (moved, other)] == [0, 1]


async def meet(first: Callable[[], object], then: Callable[[], object], *jobs: partial[Any]) -> list[Any]:
    """A transaction that does ``first``, waits until somebody waits for it, and does ``then``; and a batch of these jobs that meets it."""
    locked, gate = threading.Event(), threading.Event()

    def take_both() -> None:
        with transaction.atomic():
            first()
            locked.set()
            until_somebody_waits()
            then()
        connection.close()

    other = asyncio.ensure_future(asyncio.to_thread(take_both))
    await asyncio.to_thread(locked.wait)
    writer = Writer()
    try:
        busy = asyncio.ensure_future(writer(gate.wait, PATIENCE_S))
        await asyncio.sleep(0)
        batch = [asyncio.ensure_future(writer(job.func, *job.args, **job.keywords)) for job in jobs]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(busy, other)
        return await asyncio.gather(*batch)
    finally:
        await asyncio.to_thread(writer.close)


def _two_runs() -> tuple[Owner, Owner]:
    try:
        low, high = (Owner.of(make_run(status=RunStatus.QUEUED)) for _ in range(2))
        return low, high
    finally:
        connection.close()


def _a_free_and_a_paid_run() -> tuple[Owner, CouncilRun]:
    try:
        free, paid = (make_run(status=RunStatus.QUEUED) for _ in range(2))
        bind(paid, make_account(), set_aside_usd="3")
        return Owner.of(free), paid
    finally:
        connection.close()


def _differences_and_close() -> list[object]:
    try:
        return list(differences())
    finally:
        connection.close()
