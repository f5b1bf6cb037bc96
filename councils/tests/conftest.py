"""What tests of several layers share: a fake provider over real sockets, councils that ask it, an engine, people."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from benchmarks.fake.server import Running, running
from benchmarks.killing import leave_database
from benchmarks.staging import fake_model, stage_council
from councils.models import CouncilConfiguration, User
from councils.runner.host import EngineHost
from councils.tests.durability.support import QUICK, Asker
from councils.tests.emptying import empty_tables

# A loaded machine is no reason for a property to fail.
FIXED = os.environ.get("TEST_EXAMPLES") == "fixed"
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=FIXED)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """PostgreSQL need not wait for the disk. It drops no database that somebody still looks at: threads and servers may leave a session."""
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_database()")
                (name,) = cursor.fetchone()
                # For every session that begins from now on, also those of other processes. A commit is seen at once all the same.
                cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} SET synchronous_commit TO off")
            leave_database()
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                cursor.execute(f"SELECT pg_terminate_backend(pid) {others}")


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """After tests that commit, see ``emptying``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: empty_tables())
        yield


@pytest.fixture(scope="session")
def fake_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that speaks the three dialects, and remembers what it was asked."""
    log: Path = tmp_path_factory.mktemp("fake") / "calls.jsonl"
    with running(log=log) as server:
        yield server


@pytest.fixture
def asker(transactional_db: None) -> User:
    """Somebody who asks questions."""
    return User.objects.create_user("asker", password="correct horse battery")


@pytest.fixture
def quick_engine(settings: Settings) -> None:
    """Leases, heartbeats and retries as short as they can be."""
    for name, value in QUICK.items():
        setattr(settings, name, value)


@pytest.fixture
def engine(transactional_db: None, quick_engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    """This process's engine, running. Handed over at the end of the test like at the end of a server."""
    host = EngineHost()
    monkeypatch.setattr("councils.runner.host._host", host)
    host.start()
    yield host
    host.stop()


@pytest.fixture
def ask(asker: User, fake_provider: Running) -> Asker:
    """Ask a council of the fake provider's models, named by their behaviour."""

    def council(*behaviours: str, **options: Any) -> CouncilConfiguration:
        seats = [fake_model(fake_provider.url, f"{behaviour},name=s{n}") for n, behaviour in enumerate(behaviours)]
        return stage_council(seats, **options)

    return Asker(asker, council, fake_provider)
