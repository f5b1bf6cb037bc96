"""What is written of a step and its calls: each call before it is sent, and with what it brought; the step with its last call."""

import asyncio
import time
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from councils.costing import most_of_call
from councils.engine.deliberation import StepState
from councils.engine.errors import (
    AuthenticationFailed,
    BadRequest,
    BudgetUsedUp,
    ConnectFailed,
    CouncilError,
    EgressDenied,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from councils.engine.outcome import StepResult
from councils.engine.prompts import PreparedCall
from councils.engine.tally import ballot_from_json, ballot_to_json
from councils.engine.types import CUT, Completion, CompletionRequest, StepStatus, Usage
from councils.models import CallStatus
from councils.providers.usage import settled_usage
from councils.runner.watching import OpenCall, call_ended
from councils.runner.work import RunWork
from councils.snapshot import ModelTarget
from councils.store.budgets import BudgetExhausted
from councils.store.calls import Begun, Booking, Sending, Settled, StepHasResult, StepRef, StepWrite, begin_call, recall_call, settle_call
from councils.store.ownership import LostRun
from councils.store.steps import record_step

NOT_BILLED = (RateLimited, ProviderUnavailable, AuthenticationFailed, BadRequest, EgressDenied)
"""Errors that come instead of any token: no provider charges for them."""


def is_unbilled(error: ProviderError) -> bool:
    """Whether a call that ended so cost nothing for certain, if no text came before."""
    return isinstance(error, NOT_BILLED) or (isinstance(error, ConnectFailed) and not error.sent)


def usage_of_failure(request: CompletionRequest, error: ProviderError, *, written: int) -> Usage | None:
    """What a failed call consumed: as told, else estimated from the characters written; ``None`` when it never came to tokens."""
    if error.usage is not None:
        return error.usage
    if not written and is_unbilled(error):
        return None
    return settled_usage(request, written=written, prompt=None, completion=None)


def booking_of(status: CallStatus, target: ModelTarget, usage: Usage | None, sent: float, completion: Completion | None = None) -> Booking:
    """How a call that was sent at this monotonic time ended. ``usage`` is ``None`` where nothing was consumed: known to cost nothing."""
    return Booking(
        status=status,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        usage_source=usage.source.value if usage else "",
        cost_usd=target.cost(usage) if usage else Decimal(0),
        latency_ms=round((time.monotonic() - sent) * 1000),
        reported_model=completion.model if completion else "",
        finish_reason=completion.finish_reason.value if completion else "",
        first_token_ms=completion.first_token_ms if completion else None,
    )


def recalled(completion: Completion, looked_ms: int) -> Booking:
    """An answer from the cache: nothing was consumed, and looking it up took so many milliseconds."""
    return Booking(
        status=CallStatus.DONE,
        prompt_tokens=0,
        completion_tokens=0,
        cost_usd=Decimal(0),
        latency_ms=looked_ms,
        reported_model=completion.model,
        finish_reason=completion.finish_reason.value,
    )


class StepBooks:
    """The books of one step. What was begun is booked, however often whoever waits for it is cancelled meanwhile."""

    def __init__(self, work: RunWork, ref: StepRef) -> None:
        self.work = work
        self.ref = ref
        self.started = time.monotonic()
        self._open: dict[str, OpenCall] = {}

    @property
    def written(self) -> int:
        """Characters that the call under way has brought so far."""
        return len(self.work.broadcast.draft(self.ref.key))

    async def begin(self, target: ModelTarget, prepared: PreparedCall, sending: Sending) -> Begun:
        """Write down that a call is about to be sent. Raises ``LostRun`` or ``StepHasResult``: then nothing may be sent.

        The step has its result, too, when a budget cannot pay for the call.
        """
        attempt = self.work.next_attempt(self.ref.key)
        # Without a budget there is nothing to hold it against.
        at_most = most_of_call(prepared, target) if self.work.claim.holds else Decimal(0)
        write = partial(begin_call, self.work.claim, self.ref, target, attempt=attempt, at_most_usd=at_most, sending=sending)
        try:
            begun = await self._insist_on_begin(write)
        except BudgetExhausted:
            await self.refuse(BudgetUsedUp(), target=target, substituted=sending.substituted)
            raise StepHasResult from None
        self._open[begun.call_id] = self.work.watch.call_began(self.ref.key, self.ref.stage, begun.call_id, attempt, target, cached=False)
        self.work.broadcast.begin(self.ref.key, attempt)
        self.work.broadcast.events(begun.events)
        return begun

    async def recall(self, target: ModelTarget, sending: Sending, booking: Booking, write: StepWrite, *, said: str) -> None:
        """Write down a call that the cache has answered so, and what its step became. Raises ``LostRun`` or ``StepHasResult``."""
        attempt = self.work.next_attempt(self.ref.key)
        facts: dict[str, Any] = {"attempt": attempt, "sending": sending, "booking": booking, "result": write}
        writing = asyncio.ensure_future(self.work.writer.insist(recall_call, self.work.claim, self.ref, target, **facts))
        try:
            begun, accepted, events = await asyncio.shield(writing)
        except asyncio.CancelledError:
            if (await writing)[1]:
                self._learn(write)
            raise
        call_ended(self.work.watch.call_began(self.ref.key, self.ref.stage, begun.call_id, attempt, target, cached=True), booking, None)
        if not accepted:
            raise LostRun
        self.work.broadcast.begin(self.ref.key, attempt)
        self.work.broadcast.events(begun.events)
        self.work.broadcast.text(self.ref.key, said)
        self._learn(write)
        self.work.broadcast.end(self.ref.key)
        self.work.broadcast.events(events)

    async def refuse(self, error: CouncilError, *, target: ModelTarget, substituted: bool) -> None:
        """End the step without a call, for instance because a budget has nothing left for it."""
        write = self.failure(error, target=target, substituted=substituted)
        events = await self.work.writer.insist(record_step, self.work.claim, self.ref, write)
        self._learn(write)
        self.work.broadcast.end(self.ref.key)
        self.work.broadcast.events(events)

    async def _insist_on_begin(self, write: partial[Begun]) -> Begun:
        writing = asyncio.ensure_future(self.work.writer.insist(write.func, *write.args, **write.keywords))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The attempt may be written down by now. It was never sent, and the books must say so.
            begun = await writing
            await self.settle(begun, Booking(status=CallStatus.CANCELLED, cost_usd=Decimal(0)))
            raise

    async def settle(self, begun: Begun, booking: Booking, write: StepWrite | None = None, *, headers_ms: int | None = None) -> None:
        """Book a call and, with it, what its step became. Raises ``LostRun`` when the run is not ours any more; the call is booked."""
        settled = await self._book(begun, booking, write, headers_ms=headers_ms)
        if not settled.accepted:
            raise LostRun
        self.work.broadcast.events(settled.events)

    async def cancelled(self, begun: Begun, target: ModelTarget, request: CompletionRequest, sent: float) -> None:
        """Book a call that was closed by us. What it had written stays readable."""
        usage = settled_usage(request, written=self.written, prompt=None, completion=None)
        facts = booking_of(CallStatus.CANCELLED, target, usage, sent)
        booking = replace(facts, error_kind="cancelled", unfinished=self.work.unfinished(self.ref.key))
        await self._book(begun, booking, None)

    async def _book(self, begun: Begun, booking: Booking, write: StepWrite | None, *, headers_ms: int | None = None) -> Settled:
        booked = asyncio.ensure_future(self.work.writer.book(settle_call, self.work.claim, self.ref, begun, booking, write))
        settled: Settled | None = None
        try:
            settled = await asyncio.shield(booked)
        except asyncio.CancelledError:
            settled = await booked
            if settled.accepted and write is not None:
                self._learn(write)
            raise
        finally:
            if (call := self._open.pop(begun.call_id, None)) is not None:
                call_ended(call, booking, headers_ms, counted=settled is not None and settled.orphan)
        if settled.accepted and write is not None:
            self._learn(write)
            self.work.broadcast.end(self.ref.key)
        return settled

    def _learn(self, write: StepWrite) -> None:
        """Take the committed result into the engine's view. One that was given up on stays out of the deliberation."""
        ballot = write.payload.get("ballot")
        late = self.work.steps[self.ref.key].status is StepStatus.LATE
        self.work.steps[self.ref.key] = StepState(
            key=self.ref.key,
            status=StepStatus.LATE_DONE if late and write.status is StepStatus.DONE else write.status,
            text=write.text,
            ballot=ballot_from_json(ballot) if ballot else None,
            error_kind=write.error_kind,
            latency_s=None if write.latency_ms is None else write.latency_ms / 1000,
            substituted=write.substituted,
            cut=write.finish_reason in CUT,
        )

    def result(
        self, result: StepResult, prepared: PreparedCall, completion: Completion, *, target: ModelTarget, substituted: bool
    ) -> StepWrite:
        """What the step became with this answer."""
        payload: dict[str, object] = {}
        if prepared.labels:
            payload = {"labels": dict(prepared.labels)}
            payload |= {"ballot": ballot_to_json(result.ballot)} if result.ballot else {"problem": result.problem}
        if result.notes:
            payload["notes"] = result.notes
        return StepWrite(
            status=result.status,
            text=result.text,
            payload=payload,
            error_kind=result.error_kind,
            error_message=result.problem,
            model_name=target.label,
            substituted=substituted,
            finish_reason=completion.finish_reason.value,
            latency_ms=self._took_ms(),
        )

    def failure(self, error: CouncilError, *, target: ModelTarget, substituted: bool) -> StepWrite:
        """What the step became when nobody could answer."""
        return StepWrite(
            status=StepStatus.FAILED,
            text=self.work.unfinished(self.ref.key),
            error_kind=error.kind,
            error_message=error.message,
            model_name=target.label,
            substituted=substituted,
            latency_ms=self._took_ms(),
        )

    def _took_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)
