"""The command line: makes the servers, sets Django up on them, carries one fault out, prints the counts."""

import argparse
import os
import random
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import django

from benchmarks.chaos.services import Ground, PostgresServer, RedisServer
from benchmarks.kill import settings_of


@dataclass(frozen=True, slots=True)
class Fault:
    """``module`` has ``carry_out(ground, options, chance) -> Audit``; ``arguments`` are those of its command line.

    Every process of the installation gets ``environment`` too.
    """

    module: str
    help: str
    arguments: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, str] = field(default_factory=dict)


# A lease as it is shipped: where several owners live side by side, none may be taken for dead because the machine is busy.
SHIPPED_LEASE = {"RUN_LEASE_TTL_S": "8", "RUN_HEARTBEAT_S": "2"}


FAULTS: Mapping[str, Fault] = {
    "redis": Fault(
        "benchmarks.chaos.redis_faults",
        "Redis is down, comes and goes, forgets everything, or accepts and never answers",
        {"--mode": {"choices": ["down", "flapping", "flushed", "slow", "well"], "required": True}},
    ),
    "postgres": Fault(
        "benchmarks.chaos.postgres_faults",
        "PostgreSQL crashes and comes back",
        {"--crashes": {"type": int, "default": 10}},
        SHIPPED_LEASE,
    ),
    "kill": Fault(
        "benchmarks.chaos.kill_workers",
        "workers are killed at random moments",
        {"--kills": {"type": int, "default": 10}},
        SHIPPED_LEASE,
    ),
    "rolling": Fault(
        "benchmarks.chaos.rolling",
        "web processes and workers are restarted in turn, as when a new version comes",
        {},
        SHIPPED_LEASE,
    ),
}


def environment(ground: Ground) -> dict[str, str]:
    """What every process of the installation is started with."""
    return settings_of(ground.postgres.url) | {
        "REDIS_URL": ground.redis.url,
        "RUN_ENGINE": "celery",
        "RUN_LEASE_TTL_S": "3",
        "RUN_HEARTBEAT_S": "0.5",
        # Limits and cache ask Redis too. Nobody reaches these limits, and no question comes twice.
        "RATE_LIMIT_REQUESTS": "1000000",
        "RATE_LIMIT_BURST": "1000000",
        "RATE_LIMIT_READ_REQUESTS": "1000000",
        "RATE_LIMIT_READ_BURST": "1000000",
        "ENABLE_CACHE": "true",
    }


def read_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description="Hurt an installation; see the package's docstring.")
    commands = parser.add_subparsers(dest="fault", required=True)
    for name, fault in FAULTS.items():
        command = commands.add_parser(name, help=fault.help)
        command.add_argument("--runs", type=int, default=20)
        command.add_argument("--workers", type=int, default=2)
        command.add_argument("--seed", default=None, help="repeat the same moments")
        for flag, options in fault.arguments.items():
            command.add_argument(flag, **options)
    return parser.parse_args()


def main() -> int:
    options = read_command_line()
    # Whoever is told to stop still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="council-chaos-") as name, ExitStack() as ends:
        folder = Path(name)
        # PostgreSQL runs as a user of its own and must get in.
        folder.chmod(0o755)
        ground = Ground(folder, PostgresServer(folder / "postgres"), RedisServer(folder))
        for server in (ground.postgres, ground.redis):
            ends.callback(server.close)
            server.start()
        # Django reads its settings when it is set up, so the environment comes first.
        os.environ.update({**environment(ground), **FAULTS[options.fault].environment})
        django.setup()
        found = import_module(FAULTS[options.fault].module).carry_out(ground, options, random.Random(options.seed))
    for name, number in sorted(found.counts.items()):
        print(f"{number:8}  {name}")
    for problem in found.problems:
        print(f"BROKEN    {problem}")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
