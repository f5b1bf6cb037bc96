"""The engine and the providers without Django, store or viewers: what a deliberation costs by itself.

Used by ``overhead.py``; it is the driver's loop with a dictionary for a database.
"""

import asyncio
import time

from councils.engine.actions import CountVotes, Finish, StartCall, Wait
from councils.engine.deliberation import StepState, count_votes, next_actions
from councils.engine.outcome import conclude
from councils.engine.prompts import DEFAULT_PROMPTS, prepare
from councils.engine.types import Completion, CompletionRequest, CouncilSpec, RunStatus, Seat, StepStatus, StructuredMode
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint
from councils.providers.factory import provider_for

QUESTION = "How should we price the annual plan?"


def spec_of(model: str, seats: int = 4) -> CouncilSpec:
    """A council of equal seats that all ask ``model``."""
    return CouncilSpec(
        name="Benchmark",
        seed="benchmark",
        seats=tuple(Seat(agent_id=f"agent_{n}", name=f"Seat {n}", model=model) for n in range(1, seats + 1)),
        chairman=(model,),
        prompts=DEFAULT_PROMPTS,
    )


class Deliberation:
    """One run in memory."""

    def __init__(self, spec: CouncilSpec, base_url: str) -> None:
        self.spec = spec
        self.steps: dict[str, StepState] = {}
        host_port = base_url.removeprefix("http://")
        self.provider = provider_for(Endpoint(base_url=f"{base_url}/v1"), policy=EgressPolicy(frozenset({host_port})))
        self.calls: set[asyncio.Task[None]] = set()

    async def run(self) -> Finish:
        """Deliberate to the end."""
        started = time.monotonic()
        while True:
            for action in next_actions(self.spec, self.steps, elapsed_s=time.monotonic() - started):
                match action:
                    case StartCall():
                        self.steps[action.key] = StepState(key=action.key, status=StepStatus.RUNNING)
                        self.calls.add(asyncio.create_task(self._call(action)))
                    case CountVotes():
                        tally = count_votes(self.spec, action.key, self.steps)
                        self.steps[action.key] = StepState(key=action.key, status=StepStatus.DONE, tally=tally)
                    case Wait():
                        done, self.calls = await asyncio.wait(self.calls, return_when=asyncio.FIRST_COMPLETED)
                        for task in done:
                            task.result()
                    case Finish():
                        return action

    async def _call(self, action: StartCall) -> None:
        prepared = prepare(self.spec, action.key, self.steps, question=QUESTION)
        request = CompletionRequest(
            model=prepared.models[0],
            messages=prepared.messages,
            schema=prepared.schema,
            structured=StructuredMode.JSON_SCHEMA if prepared.schema else StructuredMode.PLAIN,
        )
        async for part in self.provider.stream(request):
            if isinstance(part, Completion):
                result = conclude(self.spec, prepared, part.text, repaired=False)
                self.steps[action.key] = StepState(
                    key=action.key, status=result.status, text=result.text, ballot=result.ballot, latency_s=part.latency_ms / 1000
                )


async def run_engine(base_url: str, model: str, *, parallel: int) -> list[float]:
    """Deliberate ``parallel`` times at once; seconds that each took. Raises when one does not succeed."""

    async def timed() -> float:
        started = time.perf_counter()
        finish = await Deliberation(spec_of(model), base_url).run()
        if finish.status is not RunStatus.SUCCEEDED:
            raise RuntimeError(finish.reason)
        return time.perf_counter() - started

    return await asyncio.gather(*(timed() for _ in range(parallel)))
