"""The time that the layer around a call adds beside its two commits: endpoint, breaker, retry, key, cache key, checks, booking.

    python -m benchmarks.layer --calls 2000

A call by a provider that answers at once, without sockets and without a database, is made bare (prompt, stream, reading of the answer)
and through the whole layer, in turns; what the layer adds is the difference of the two, in CPU time of the engine's thread, so that
other work on the machine does not count.
"""

import argparse
import asyncio
import os
from importlib import import_module

import django


def main() -> None:
    parser = argparse.ArgumentParser(description="Time added by the layer around a call; see the docstring of this file.")
    parser.add_argument("--calls", type=int, default=2_000)
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings")
    os.environ.setdefault("SITE_PROFILE", "local")
    django.setup()
    # Models can be imported only now.
    asyncio.run(import_module("benchmarks.layered").measure(arguments.calls))


if __name__ == "__main__":
    main()
