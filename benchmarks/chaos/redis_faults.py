"""Redis is hurt for as long as questions are asked; the site must not care.

``down``: killed before the first question, back after the last. ``flapping``: killed and started again, three seconds each. ``flushed``:
everything in it is forgotten every two seconds. ``slow``: it accepts connections and never answers. ``well``: nothing, for comparison.
"""

import argparse
import asyncio
import random
from collections.abc import Callable

from benchmarks.audit import Audit, audit, read_log
from benchmarks.chaos.crowd import Crowd
from benchmarks.chaos.services import Ground, RedisServer
from benchmarks.chaos.stack import standing
from councils.models import CouncilRun

FLAP_S = 3.0
FLUSH_EVERY_S = 2.0
PACE_S = 0.5
# The requirement: what the live message did not bring, the look every two seconds does.
LATEST_EVENT_MS = 2_200
WARM_UP_S = 6.0


def carry_out(ground: Ground, options: argparse.Namespace, _chance: random.Random) -> Audit:
    """Hurt Redis in this mode while runs are asked for, and audit what is there afterwards."""
    with standing(ground, workers=options.workers) as stack:
        crowd = Crowd(stack, options.runs, PACE_S)
        asyncio.run(_meet(crowd, ground.redis, options.mode))
        found = audit(CouncilRun.objects.order_by("pk"), read_log(stack.provider_log))
    crowd.report(found)
    latest = found.counts["ms event, longest"]
    found.require(latest <= LATEST_EVENT_MS, f"a viewer saw an event {latest} ms after its commit")
    for run in CouncilRun.objects.exclude(status="succeeded"):
        found.require(False, f"{run} ended as {run.status}: {run.reason}")
    refused = {name: count for name, count in crowd.answers.items() if not name.endswith((" 200", " 202"))}
    found.require(not refused, f"not everybody was served: {refused}")
    return found


async def _meet(crowd: Crowd, redis: RedisServer, mode: str) -> None:
    # The workers are to meet the fault while they work, not while they start.
    await asyncio.sleep(WARM_UP_S)
    hurting = asyncio.create_task(_hurt(redis, mode))
    try:
        await crowd.come()
    finally:
        hurting.cancel()
        redis.thaw()
        if not redis.answers():
            redis.kill()
            redis.start()


async def _hurt(redis: RedisServer, mode: str) -> None:
    if mode == "down":
        redis.kill()
    elif mode == "slow":
        redis.freeze()
    elif mode == "flapping":
        await _in_turn(FLAP_S, redis.kill, redis.start)
    elif mode == "flushed":
        await _in_turn(FLUSH_EVERY_S, redis.flush)


async def _in_turn(every_s: float, *deeds: Callable[[], None]) -> None:
    while True:
        for deed in deeds:
            await asyncio.to_thread(deed)
            await asyncio.sleep(every_s)
