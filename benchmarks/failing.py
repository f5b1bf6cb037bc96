"""Steps whose calls fail by chance, for ``transient.py``. Needs Django set up, and no database."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

from benchmarks.layered import ANSWER, NoWriter, new_work
from councils.engine.actions import StartCall
from councils.engine.errors import AnswerTimeout, BrokenStream, ConnectFailed, ProviderUnavailable, RateLimited
from councils.engine.steps import StepState
from councils.engine.types import CompletionRequest, Seat, Stage, StepStatus
from councils.providers.breaker import BreakerPolicy
from councils.providers.scripted import Answer, ScriptedProvider
from councils.runner import attempts
from councils.runner.attempts import StepAttempts
from councils.runner.switchboard import Switchboard
from councils.runner.work import RunWork

KEY = "opinion:agent_1"
PAUSE_S = BreakerPolicy().pause_s / 1000
FAULTS = (ConnectFailed, ProviderUnavailable, AnswerTimeout, BrokenStream, RateLimited)


def work_of(board: Switchboard, writer: NoWriter, *, addresses: int, fallback: bool) -> RunWork:
    work = new_work(writer, board)
    model = work.snapshot.models["m1"]
    first = replace(model, endpoints=model.endpoints[:addresses])
    spare = replace(model, model_id=2, provider_id=2, name="spare", endpoints=model.endpoints[1:])
    seat: Seat = replace(work.spec.seats[0], fallbacks=("m2",) if fallback else ())
    spec = replace(work.spec, seats=(seat, *work.spec.seats[1:]))
    work.snapshot = replace(work.snapshot, spec=spec, models={"m1": first, "m2": spare})
    work.steps[KEY] = StepState(key=KEY, status=StepStatus.RUNNING)
    return work


async def one(work: RunWork) -> tuple[str, int]:
    """How a step ended, and after how many calls."""
    await StepAttempts(work, StartCall(key=KEY, stage=Stage.OPINIONS, agent_id="agent_1")).run()
    return work.steps[KEY].error_kind or "done", work.attempts.get(KEY, 0)


def failing_provider(share: float, seed: int) -> ScriptedProvider:
    """A provider of whose calls this share fails by chance."""
    chance = random.Random(seed)

    def answer(_: CompletionRequest, __: int) -> Answer:
        return chance.choice(FAULTS)() if chance.random() < share else ANSWER

    return ScriptedProvider(answer)


async def measure(steps: int, *, failing: float, parallel: int, seed: int) -> None:
    for title, addresses, fallback in (("one address", 1, False), ("two addresses", 2, False), ("one and a fallback model", 1, True)):
        provider = failing_provider(failing, seed)
        attempts.__dict__["provider_for"] = lambda *_, provider=provider, **__: provider
        writer, board = NoWriter(), Switchboard(BreakerPolicy(pause_s=PAUSE_S, longest_pause_s=PAUSE_S * 60))
        ends, calls = Counter[str](), 0
        for begun in range(0, steps, parallel):
            works = [work_of(board, writer, addresses=addresses, fallback=fallback) for _ in range(min(parallel, steps - begun))]
            for end, tries in await asyncio.gather(*(one(work) for work in works)):
                ends[end] += 1
                calls += tries
            provider.requests.clear()
        writer.close()
        rest = ", ".join(f"{kind} {times}" for kind, times in ends.most_common() if kind != "done") or "none"
        print(f"{title:26} {ends['done'] / steps:.2%} of {steps} steps, {calls / steps:.2f} calls each; failed: {rest}", flush=True)
