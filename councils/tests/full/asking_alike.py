"""A process of its own that asks the same many times at once. Needs Django set up.

Each line that it reads is the key of a call. For each it prints how often its model was asked, and what the askers heard.
"""

import asyncio
import json
import os
import sys

from councils.caching.answers import KeptAnswer
from councils.caching.flights import Flights, entry_of
from councils.caching.shelf import Shelf
from councils.runner.writer import Writer

AT_ONCE = 25
ANSWER_S = 0.3


class Model:
    """Counts what it is asked. Its answer says which process paid for it."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self) -> KeptAnswer:
        self.asked += 1
        await asyncio.sleep(ANSWER_S)
        return KeptAnswer(text=f"Paid by {os.getpid()}.")


async def ask(flights: Flights, model: Model, key: str) -> str:
    async with flights.take(key, patience_s=60) as flight:
        if flight.hit is not None:
            return flight.hit.text
        answer = await model.ask()
        await flights.keep(flight, answer, entry_of(answer, key=key, model_id=None, model_name="m", prompt_hash=""))
        return answer.text


async def serve() -> None:
    """Answer lines until there are none."""
    writer = Writer()
    flights = Flights(Shelf(writer))
    _tell("ready")
    while key := (await asyncio.to_thread(sys.stdin.readline)).strip():
        model = Model()
        heard = await asyncio.gather(*(ask(flights, model, key) for _ in range(AT_ONCE)))
        _tell(json.dumps({"asked": model.asked, "heard": heard}))
    await asyncio.to_thread(writer.close)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    asyncio.run(serve())
