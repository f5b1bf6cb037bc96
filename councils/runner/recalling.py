"""A step's answer from the cache, where the same was asked lately; else from the model, and kept for the next one."""

from functools import partial

from django.conf import settings

from councils.caching.answers import KeptAnswer
from councils.caching.flights import Flight, Flights, entry_of
from councils.caching.keys import call_key
from councils.engine.digest import messages_digest
from councils.engine.types import Completion, CompletionRequest
from councils.runner.attempts import StepAttempts
from councils.snapshot import CacheUse


async def answer_step(step: StepAttempts, flights: Flights) -> None:
    """Bring the step its result. Raises ``LostRun`` when the run is not ours any more.

    Before the first try it waits for whoever asks the same at this moment, but takes no slot at a provider meanwhile. A step that was
    begun before, by an owner that died, goes the same way: nothing of that try has come.
    """
    use = step.work.snapshot.cache if settings.ENABLE_CACHE else CacheUse.OFF
    if use is CacheUse.FULL:
        key = call_key(step.target, step.prepared, step.first_request())
        # Whoever waits in vain for another's call must have time left for one of its own.
        patience_s = min(step.work.spec.stage_deadline_s, step.work.left_s()) / 2
        async with flights.take(key, patience_s=patience_s) as flight:
            if flight.hit is not None and await step.recall(flight.hit.completion(), looked_ms=flight.looked_ms):
                return
            step.keep = partial(_keep, step, flights, flight)
            await step.run()
        return
    if use is CacheUse.WRITE:
        step.keep = partial(_keep, step, flights, None)
    await step.run()


async def _keep(step: StepAttempts, flights: Flights, flight: Flight | None, request: CompletionRequest, completion: Completion) -> None:
    # A substitute's answer is kept as its own model's: the seat's model may be back when the next one asks.
    answer = KeptAnswer.of(completion)
    if answer is None:
        return
    target = step.target
    key = call_key(target, step.prepared, request)
    # The same that a call has, so that either leads to the other.
    digest = messages_digest(step.prepared.messages)
    entry = entry_of(answer, key=key, model_id=target.model_id, model_name=target.name, prompt_hash=digest)
    await flights.keep(flight, answer, entry)
