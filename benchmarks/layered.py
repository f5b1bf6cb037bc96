"""One call bare and through the whole layer, for ``layer.py``. Needs Django set up, and no database."""

import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median, quantiles
from typing import Any

from benchmarks.engine_alone import QUESTION, spec_of
from councils.caching.flights import Flights
from councils.caching.keys import call_key
from councils.caching.shelf import Shelf
from councils.engine.actions import StartCall
from councils.engine.outcome import conclude
from councils.engine.prompts import prepare
from councils.engine.steps import StepState
from councils.engine.types import Completion, CompletionRequest, Stage, StepStatus, StructuredMode
from councils.live.broadcast import Broadcast
from councils.models.crypto import seal
from councils.providers.scripted import ScriptedProvider
from councils.runner import attempts
from councils.runner.attempts import StepAttempts
from councils.runner.switchboard import Switchboard
from councils.runner.watching import RunWatch
from councils.runner.work import RunWork
from councils.runner.writer import Writer
from councils.snapshot import EndpointTarget, ModelTarget, Snapshot
from councils.store.calls import Begun, begin_call
from councils.store.ownership import Claim

ANSWER = "Charge for ten months and say so. " * 12
KEYS = {Stage.OPINIONS: "opinion:agent_1", Stage.REVIEW: "review:agent_1"}


class NoWriter(Writer):
    """Says at once that everything was written: the commits are not what is measured."""

    async def _do(self, turn: Any, work: Callable[[], Any]) -> Any:
        if getattr(work, "func", None) is begin_call:
            return Begun(call_pk=1, call_id="benchmark", attempt=1, events=[])
        return True, []


class Silent(Broadcast):
    """Sends nothing: viewers are not what is measured."""

    def _send(self, message: Any) -> None:
        return


def target() -> ModelTarget:
    endpoints = tuple(
        EndpointTarget(base_url=f"http://{name}.example/v1", allow_private_address=False, max_parallel_calls=32) for name in ("a", "b")
    )
    return ModelTarget(
        model_id=1,
        name="m",
        label="M",
        provider_id=1,
        provider_name="P",
        kind="openai",
        endpoints=endpoints,
        api_key_env="",
        options={},
        structured_mode=StructuredMode.JSON_SCHEMA,
        max_output_tokens=None,
        input_price=Decimal("0.001"),
        output_price=Decimal("0.002"),
    )


def answer(request: CompletionRequest, _: int) -> str:
    if request.schema is None:
        return ANSWER
    labels = request.schema["properties"]["rankings"]["items"]["properties"]["agent_id"]["enum"]
    ballots = ",".join(f'{{"agent_id":"{label}","reasoning":"Clear.","score":{9 - n}}}' for n, label in enumerate(labels))
    return f'{{"rankings":[{ballots}]}}'


def new_work(writer: Writer, board: Switchboard) -> RunWork:
    opinions = [f"opinion:agent_{number}" for number in range(1, 5)]
    return RunWork(
        claim=Claim(1, "benchmark", 1),
        snapshot=Snapshot(spec=spec_of("m1"), models={"m1": target()}),
        sealed_keys={"1": seal("sk-benchmark-0123456789")},
        question=QUESTION,
        history=(),
        steps={key: StepState(key=key, status=StepStatus.DONE, text=ANSWER) for key in opinions},
        attempts={},
        broadcast=Silent("benchmark"),
        writer=writer,
        board=board,
        flights=Flights(Shelf(writer)),
        earlier_s=0.0,
        watch=RunWatch("benchmark", resumed=False),
    )


async def bare(work: RunWork, key: str, provider: ScriptedProvider) -> float:
    """CPU seconds of a call with nothing around it."""
    started = time.thread_time()
    prepared = prepare(work.spec, key, work.steps, question=work.question)
    request = CompletionRequest(model="m", messages=prepared.messages, schema=prepared.schema)
    async for part in provider.stream(request):
        if isinstance(part, Completion):
            conclude(work.spec, prepared, part.text, repaired=False)
    return time.thread_time() - started


async def layered(work: RunWork, key: str, stage: Stage) -> float:
    """CPU seconds of the same call as a run makes it, its commits left out."""
    work.steps[key] = StepState(key=key, status=StepStatus.RUNNING)
    work.attempts.clear()
    started = time.thread_time()
    step = StepAttempts(work, StartCall(key=key, stage=stage, agent_id="agent_1"))
    call_key(step.target, step.prepared, step.first_request())
    await step.run()
    took = time.thread_time() - started
    if work.steps[key].status is not StepStatus.DONE:
        raise RuntimeError(f"the call of {key} did not succeed: {work.steps[key]}")
    return took


async def measure(calls: int) -> None:
    provider = ScriptedProvider(answer)
    attempts.__dict__["provider_for"] = lambda *_, **__: provider
    writer, board = NoWriter(), Switchboard()
    for stage, key in KEYS.items():
        plain, added = [], []
        for number in range(calls + 50):
            work = new_work(writer, board)
            without, around = await bare(work, key, provider), await layered(work, key, stage)
            if number >= 50:
                plain.append(without)
                added.append(around - without)
            provider.requests.clear()
        p99 = quantiles(added, n=100)[98]
        print(f"{stage.value:10} bare {median(plain) * 1e3:.3f} ms, the layer adds {median(added) * 1e3:.3f} ms, p99 {p99 * 1e3:.3f} ms")
    writer.close()
