"""PostgreSQL crashes again and again while questions are asked: no shutdown, connections break, the next start recovers from its log.

Meanwhile pages and API answer 503 in their own looks. Runs wait, and go on when it is back: nothing committed is lost, nothing paid twice.
"""

import argparse
import asyncio
import random

from django.db import connections

from benchmarks.audit import Audit, audit, read_log
from benchmarks.chaos.crowd import OK, Crowd
from benchmarks.chaos.services import Ground, PostgresServer
from benchmarks.chaos.stack import standing
from benchmarks.killing import demand_good_ends
from councils.models import CouncilRun

UP_S = (1.0, 4.0)
DOWN_S = (0.0, 2.0)
WARM_UP_S = 4.0
UNAVAILABLE = 503


def carry_out(ground: Ground, options: argparse.Namespace, chance: random.Random) -> Audit:
    """Crash it so often while runs are asked for, and audit what is there afterwards."""
    with standing(ground, workers=options.workers) as stack:
        # The questions spread over all crashes.
        pace_s = options.crashes * (sum(UP_S) + sum(DOWN_S)) / 2 / options.runs
        crowd = Crowd(stack, options.runs, pace_s)
        asyncio.run(_meet(crowd, ground.postgres, options.crashes, chance))
        # Broken by the crashes.
        connections.close_all()
        found = audit(CouncilRun.objects.order_by("pk"), read_log(stack.provider_log))
    found.counts["crashes"] = options.crashes
    crowd.report(found)
    demand_good_ends(found)
    strange = {name: count for name, count in crowd.answers.items() if int(name.split()[-1]) not in {OK, 202, UNAVAILABLE}}
    found.require(not strange, f"answered with something else than success or 503: {strange}")
    return found


async def _meet(crowd: Crowd, postgres: PostgresServer, crashes: int, chance: random.Random) -> None:
    await asyncio.sleep(WARM_UP_S)
    crashing = asyncio.create_task(_crash(postgres, crashes, chance))
    await crowd.come()
    await crashing


async def _crash(postgres: PostgresServer, times: int, chance: random.Random) -> None:
    for _ in range(times):
        await asyncio.sleep(chance.uniform(*UP_S))
        await asyncio.to_thread(postgres.crash)
        await asyncio.sleep(chance.uniform(*DOWN_S))
        await asyncio.to_thread(postgres.start)
