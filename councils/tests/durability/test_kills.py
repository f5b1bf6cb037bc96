"""kill -9 of the real server, again and again: nothing is lost, nothing is paid twice."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg import sql

ROOT = Path(__file__).resolve().parents[3]
KILLS, RUNS = 30, 60


@pytest.fixture
def empty_postgres() -> Iterator[str]:
    """The address of a new database, beside the one of the tests."""
    address = os.environ["TEST_DATABASE_URL"].rpartition("/")[0]
    name = sql.Identifier(f"council_kills_{os.getpid()}")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        # Servers of the site die here and PostgreSQL does not, so that it need not wait for the disk.
        server.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit TO off").format(name))
        try:
            yield f"{address}/council_kills_{os.getpid()}"
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def kill_servers(*options: str) -> dict[str, int]:
    """The counts that the benchmark printed. Fails with what it printed if a promise was broken."""
    command = [sys.executable, "benchmarks/kill.py", "--kills", str(KILLS), "--runs", str(RUNS), "--warm", "--life", "3.5", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.strip().partition("  ") for line in done.stdout.splitlines())
    return {name: int(number) for number, _, name in lines}


def assert_survived(counts: dict[str, int]) -> None:
    assert (counts["kills"], counts["runs"]) == (KILLS, RUNS)
    # The kills must have met runs under way, else nothing is shown. How many they meet depends on the machine.
    assert counts["take-overs"] > 0
    assert counts["calls orphaned"] > 0
    # A busy machine is slow to take over, so more runs die three times before they get anywhere. Those are audited too; half must live.
    assert counts["runs succeeded"] >= RUNS // 2


@pytest.mark.skipif(connection.vendor == "postgresql", reason="the next test does the same there")
def test_every_run_survives_thirty_kills() -> None:
    assert_survived(kill_servers())


@pytest.mark.full
def test_every_run_survives_thirty_kills_on_postgresql(empty_postgres: str) -> None:
    assert_survived(kill_servers("--database", empty_postgres))
