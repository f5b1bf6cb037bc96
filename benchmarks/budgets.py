"""What a paid call costs the database: begin and settle with 0, 1 and 4 budgets, each in a commit of its own.

    python -m benchmarks.budgets --calls 400
    python -m benchmarks.budgets --calls 400 --database postgres://user:password@localhost/name

``within`` is a call inside what was set aside for its run, which is the usual one: no account is looked at before it is sent. ``beyond``
has nothing set aside, so that every account is asked. Figures are medians in microseconds, of CPU time of this process and of the clock;
the clock includes the disk. Without ``--database`` a SQLite file is made and removed; a database that is given must be empty.
"""

import argparse
import os
import tempfile
from importlib import import_module

import django

from benchmarks.kill import settings_of


def main() -> None:
    """Read the command line, prepare a database, print the table."""
    parser = argparse.ArgumentParser(description="Begin and settle under budgets; see the docstring of this file.")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--database", default="", help="URL of an empty database (default: a SQLite file)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="council-budgets-") as directory:
        os.environ.update(settings_of(arguments.database or f"sqlite:///{directory}/budgets.sqlite3"))
        django.setup()
        # Models can be imported only now.
        import_module("benchmarks.budgeted").measure(arguments.calls)


if __name__ == "__main__":
    main()
