"""Kill the server again and again while councils deliberate, and show that nothing is lost and nothing is paid twice.

    python benchmarks/kill.py --kills 200 --runs 400
    python benchmarks/kill.py --kills 200 --runs 400 --database postgres://user:password@localhost/name

Starts a fake provider and ``manage.py serve``, asks questions, sends kill -9 at random moments, starts the server again, and so on. At
the end every run must have ended well, its events must have no gap, no call may have begun after its step's result was committed, and
the provider's own log must equal the ledger, and the account of a budget must say what the ledger says. Prints the counts; the exit
status is 1 where a promise was broken. Without ``--database`` a SQLite file is made and removed. A database that is given must be empty:
it is migrated, and everything in it is audited.

Lives much shorter than a take-over takes (one to two seconds here) show another rule: a run whose owner dies three times before it gets
anywhere is given up. Such runs are counted and held against their events.
"""

import argparse
import os
import random
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    sys.path.insert(0, str(ROOT))


def settings_of(database: str) -> dict[str, str]:
    """The environment of the server: leases, heartbeats and retries as short as they can be."""
    return {
        "DJANGO_SETTINGS_MODULE": "council_site.settings",
        "SITE_PROFILE": "local",
        "SECRET_KEY": "only-for-this-benchmark",
        "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "ENV_FILE": os.devnull,
        "DATABASE_URL": database,
        "REDIS_URL": "",
        "RUN_LEASE_TTL_S": "1",
        "RUN_HEARTBEAT_S": "0.25",
        "LLM_RETRY_BASE_DELAY": "0.05",
        "LOG_LEVEL": "WARNING",
        # One visitor asks everything, and every call shall be made.
        "RATE_LIMIT_REQUESTS": "0",
        "RATE_LIMIT_READ_REQUESTS": "0",
        "ENABLE_CACHE": "false",
    }


def main() -> int:
    """Read the command line, do it, print the counts."""
    parser = argparse.ArgumentParser(description="Kill the server at random moments; the manual is the docstring of this file.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--database", default="", help="URL of an empty database (default: a SQLite file)")
    parser.add_argument("--life", type=float, default=4.0, help="longest life of a server that listens, in seconds")
    parser.add_argument("--warm", action="store_true", help="fork servers from a loaded process: quicker starts, the same kills")
    parser.add_argument("--seed", default=None, help="repeat the same moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="council-kill-") as directory:
        os.environ.update(settings_of(arguments.database or f"sqlite:///{directory}/kill.sqlite3"))
        # Django reads its settings when it is imported, so the environment comes first.
        django.setup()
        killing = import_module("benchmarks.killing")
        plan = killing.Plan(kills=arguments.kills, runs=arguments.runs, life_s=arguments.life, warm=arguments.warm)
        found = killing.carry_out(plan, Path(directory), random.Random(arguments.seed))
    for name, number in sorted(found.counts.items()):
        print(f"{number:8}  {name}")
    for problem in found.problems:
        print(f"BROKEN    {problem}")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
