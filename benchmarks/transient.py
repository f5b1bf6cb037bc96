"""How many steps get their answer although one call in five fails with a fault that passes.

    python -m benchmarks.transient --steps 10000 --failing 0.2 --parallel 50

Steps run through the whole layer (endpoints, breakers, retries, fallback) as in ``layer.py``: no sockets, no database, and all waiting a
thousand times shorter, the breaker's pauses like the retries' delays. Faults come by chance: connection refused, 5xx, time-out, broken
stream, 429.
"""

import argparse
import asyncio
import os
from importlib import import_module

import django


def main() -> None:
    parser = argparse.ArgumentParser(description="Success with transient failures; see the docstring of this file.")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--failing", type=float, default=0.2, help="share of calls that fail")
    parser.add_argument("--parallel", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings")
    os.environ.setdefault("SITE_PROFILE", "local")
    # A thousandth of what it is in service.
    os.environ |= {"LOG_LEVEL": "WARNING", "LLM_RETRY_BASE_DELAY": "0.001", "LLM_RETRY_MAX_DELAY": "0.008"}
    django.setup()
    failing = import_module("benchmarks.failing")
    asyncio.run(failing.measure(arguments.steps, failing=arguments.failing, parallel=arguments.parallel, seed=arguments.seed))


if __name__ == "__main__":
    main()
