"""The paid calls of one step: the one retry loop of the system.

Every attempt is committed before it is sent and booked with what it brought. After a failure: try again if the fault may pass, ask for
weaker structure if the model cannot do this one, then ask the fallback model, then the step has failed.
"""

import asyncio
import contextlib
import random
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal

from django.conf import settings

from councils.engine.actions import StartCall
from councils.engine.deliberation import StepState
from councils.engine.errors import (
    AuthenticationFailed,
    BadRequest,
    BrokenStream,
    ConnectFailed,
    EgressDenied,
    EmptyAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Refused,
    StructureUnsupported,
)
from councils.engine.outcome import StepResult, conclude
from councils.engine.prompts import PreparedCall, prepare
from councils.engine.tally import ballot_from_json, ballot_to_json
from councils.engine.types import Completion, CompletionRequest, Deadlines, Delta, FinishReason, StepStatus, StructuredMode, Usage
from councils.models import CallStatus, ModelInfo
from councils.models.crypto import UnreadableSecret, unseal
from councils.models.provider import key_from_environment
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.factory import provider_for
from councils.providers.retry import RetryPolicy, delay_before
from councils.providers.structured import demote
from councils.providers.usage import settled_usage
from councils.runner.work import RunWork
from councils.snapshot import ModelTarget
from councils.store.calls import Begun, Booking, StepHasResult, StepRef, StepWrite, begin_call, settle_call
from councils.store.events import Event
from councils.store.ownership import LostRun

NOT_BILLED = (RateLimited, ProviderUnavailable, AuthenticationFailed, BadRequest, EgressDenied)
"""Errors that come instead of any token: no provider charges for them."""

DECLINED = frozenset({FinishReason.FILTERED, FinishReason.REFUSAL})


@dataclass(frozen=True, slots=True)
class _Next:
    """What follows a failure: wait and try again, or (``None``) this model is done with."""

    delay_s: float | None


def _is_unbilled(error: ProviderError) -> bool:
    return isinstance(error, NOT_BILLED) or (isinstance(error, ConnectFailed) and not error.sent)


class StepAttempts:
    """The calls of one step, from the first try to its result. Cancelling it closes the connection and books what was sent."""

    def __init__(self, work: RunWork, action: StartCall) -> None:
        self.work = work
        self.ref = StepRef(key=action.key, stage=action.stage, agent_id=action.agent_id)
        self.prepared: PreparedCall = prepare(work.spec, action.key, work.steps, question=work.question, history=work.history)
        self.models = list(self.prepared.models)
        self.substituted = False
        self.repaired = False
        self.retries = 0
        self.mode: StructuredMode = self._first_mode()
        self.started = time.monotonic()

    async def run(self) -> None:
        """Call until the step has its result. Raises ``LostRun`` when the run is not ours any more."""
        delay: float | None = 0.0
        # The step may be given up on while this waits: then nothing more may be asked for it.
        with contextlib.suppress(StepHasResult):
            while delay is not None:
                if delay:
                    await asyncio.sleep(delay)
                async with self.work.slots.of(self.target):
                    delay = None if self._is_late and not self.work.attempts.get(self.ref.key) else await self._attempt()

    @property
    def target(self) -> ModelTarget:
        return self.work.snapshot.models[self.models[0]]

    @property
    def _is_late(self) -> bool:
        return self.work.steps[self.ref.key].status is StepStatus.LATE

    def _first_mode(self) -> StructuredMode:
        return self.target.structured_mode if self.prepared.schema is not None else StructuredMode.PLAIN

    async def _attempt(self) -> float | None:
        """One call. Returns the seconds to wait before the next one, or ``None`` when the step has its result."""
        begun = await self._begin()
        request = self._request(begun)
        sent = time.monotonic()
        try:
            completion = await self._stream(request)
        except ProviderError as error:
            return await self._failed(begun, error, self._usage_of_failure(request, error), sent)
        except asyncio.CancelledError:
            await self._book_cancelled(begun, request, sent)
            raise
        declined = completion.finish_reason in DECLINED
        if declined:
            return await self._failed(begun, Refused(completion.text), completion.usage, sent, completion)
        return await self._answered(begun, completion, sent)

    async def _begin(self) -> Begun:
        attempt = self.work.next_attempt(self.ref.key)
        writing = asyncio.ensure_future(
            self.work.writer.insist(
                begin_call,
                self.work.claim,
                self.ref,
                self.target,
                attempt=attempt,
                structured_mode=self.mode.value if self.prepared.schema is not None else "",
                substituted=self.substituted,
            )
        )
        try:
            begun = await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The attempt may be written down by now. It was never sent, and the books must say so.
            begun = await writing
            await self._settle(begun, Booking(status=CallStatus.CANCELLED, cost_usd=Decimal(0)), None)
            raise
        self.work.broadcast.begin(self.ref.key, attempt)
        self.work.broadcast.events(begun.events)
        return begun

    async def _stream(self, request: CompletionRequest) -> Completion:
        broadcast, key = self.work.broadcast, self.ref.key
        provider = provider_for(self._endpoint(), policy=EgressPolicy(self.work.policy_hosts(self.target)))
        async with aclosing(provider.stream(request)) as stream:
            async for part in stream:
                if isinstance(part, Delta):
                    broadcast.text(key, part.text)
                else:
                    return part
        raise BrokenStream("The answer ended without its end mark.")

    def _endpoint(self) -> Endpoint:
        target = self.target
        try:
            key = unseal(self.work.sealed_keys.get(str(target.provider_id), "")) or key_from_environment(target.api_key_env)
        except UnreadableSecret as error:
            raise BadRequest(str(error)) from error
        return Endpoint(base_url=target.base_url, kind=EndpointKind(target.kind), api_key=key, extra=target.options)

    def _request(self, begun: Begun) -> CompletionRequest:
        prepared, cap = self.prepared, self.target.max_output_tokens
        asked = [limit for limit in (prepared.max_tokens, cap) if limit]
        return CompletionRequest(
            model=self.target.name,
            messages=prepared.messages,
            call_id=begun.call_id,
            temperature=prepared.temperature,
            max_tokens=min(asked) if asked else None,
            schema=prepared.schema,
            schema_name=prepared.schema_name or "answer",
            structured=self.mode,
            deadlines=Deadlines(
                first_token_s=settings.LLM_FIRST_TOKEN_TIMEOUT,
                idle_s=settings.LLM_RESPONSE_TIMEOUT,
                total_s=min(settings.GENERATION_TIMEOUT, self.work.left_s()),
            ),
            max_chars=settings.LLM_MAX_RESPONSE_SIZE,
        )

    async def _answered(self, begun: Begun, completion: Completion, sent: float) -> float | None:
        result = conclude(self.work.spec, self.prepared, completion.text, repaired=self.repaired)
        if result.status is StepStatus.FAILED:
            return await self._failed(begun, EmptyAnswer(), completion.usage, sent, completion)
        booking = self._booking(CallStatus.DONE, completion.usage, sent, completion)
        if result.repair is not None and not self._is_late:
            await self._settle(begun, booking, None)
            self.prepared, self.repaired = result.repair, True
            return 0.0
        await self._settle(begun, booking, self._write(result, completion))
        return None

    async def _failed(
        self, begun: Begun, error: ProviderError, usage: Usage | None, sent: float, completion: Completion | None = None
    ) -> float | None:
        """Book a failed call and say what follows. The step's failure is in the same commit as its last call."""
        status = CallStatus.REFUSED if _is_unbilled(error) else CallStatus.BROKEN
        booking = self._booking(status, usage, sent, completion)
        follow = _Next(None) if self._is_late else self._follow(error)
        booking = replace(booking, error_kind=error.kind, error_detail=error.message, retry_in_s=follow.delay_s)
        end = None if follow.delay_s is not None else self._write_failure(error)
        await self._settle(begun, booking, end)
        return follow.delay_s

    def _follow(self, error: ProviderError) -> _Next:
        if isinstance(error, StructureUnsupported) and (weaker := demote(self.mode, error)) is not None:
            self._remember_weaker(weaker)
            return _Next(0.0)
        policy = RetryPolicy(
            max_retries=settings.LLM_RETRY_MAX_ATTEMPTS,
            base_delay_s=settings.LLM_RETRY_BASE_DELAY,
            max_delay_s=settings.LLM_RETRY_MAX_DELAY,
        )
        delay = delay_before(policy, error, self.retries, random.random())
        if delay is not None and delay < self.work.left_s():
            self.retries += 1
            return _Next(delay)
        if error.fallback and len(self.models) > 1:
            self.models.pop(0)
            self.substituted, self.retries = True, 0
            self.mode = self._first_mode()
            return _Next(0.0)
        return _Next(None)

    def _remember_weaker(self, weaker: StructuredMode) -> None:
        refused, self.mode = self.mode, weaker
        task = asyncio.ensure_future(self.work.writer(ModelInfo.objects.demote, self.target.model_id, refused=refused, weaker=weaker))
        # The run goes on with the weaker mode whether or not the next one will know.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _usage_of_failure(self, request: CompletionRequest, error: ProviderError) -> Usage | None:
        """What a failed call consumed: as told, else estimated; ``None`` when it never came to tokens."""
        if error.usage is not None:
            return error.usage
        written = len(self.work.broadcast.draft(self.ref.key))
        if not written and _is_unbilled(error):
            return None
        return settled_usage(request, written=written, prompt=None, completion=None)

    def _booking(self, status: CallStatus, usage: Usage | None, sent: float, completion: Completion | None = None) -> Booking:
        """``usage`` is ``None`` where nothing was consumed: that costs nothing, which is known."""
        return Booking(
            status=status,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            usage_source=usage.source.value if usage else "",
            cost_usd=self.target.cost(usage) if usage else Decimal(0),
            latency_ms=round((time.monotonic() - sent) * 1000),
            reported_model=completion.model if completion else "",
            finish_reason=completion.finish_reason.value if completion else "",
            first_token_ms=completion.first_token_ms if completion else None,
        )

    async def _book_cancelled(self, begun: Begun, request: CompletionRequest, sent: float) -> None:
        written = len(self.work.broadcast.draft(self.ref.key))
        usage = settled_usage(request, written=written, prompt=None, completion=None)
        booking = self._booking(CallStatus.CANCELLED, usage, sent)
        booking = replace(booking, error_kind="cancelled", unfinished=self.work.unfinished(self.ref.key))
        await self._book(begun, booking, None)

    def _write(self, result: StepResult, completion: Completion) -> StepWrite:
        payload: dict[str, object] = {}
        if self.prepared.labels:
            payload = {"labels": dict(self.prepared.labels)}
            payload |= {"ballot": ballot_to_json(result.ballot)} if result.ballot else {"problem": result.problem}
        if result.notes:
            payload["notes"] = result.notes
        return StepWrite(
            status=result.status,
            text=result.text,
            payload=payload,
            error_kind=result.error_kind,
            error_message=result.problem,
            model_name=self.target.label,
            substituted=self.substituted,
            finish_reason=completion.finish_reason.value,
            latency_ms=round((time.monotonic() - self.started) * 1000),
        )

    def _write_failure(self, error: ProviderError) -> StepWrite:
        return StepWrite(
            status=StepStatus.FAILED,
            text=self.work.unfinished(self.ref.key),
            error_kind=error.kind,
            error_message=error.message,
            model_name=self.target.label,
            substituted=self.substituted,
            latency_ms=round((time.monotonic() - self.started) * 1000),
        )

    async def _settle(self, begun: Begun, booking: Booking, write: StepWrite | None) -> None:
        accepted, events = await self._book(begun, booking, write)
        if not accepted:
            raise LostRun
        self.work.broadcast.events(events)

    async def _book(self, begun: Begun, booking: Booking, write: StepWrite | None) -> tuple[bool, list[Event]]:
        """Commit what a call brought, however often this is cancelled meanwhile: it was paid for."""
        booked = asyncio.ensure_future(self.work.writer.book(settle_call, self.work.claim, self.ref, begun, booking, write))
        try:
            accepted, events = await asyncio.shield(booked)
        except asyncio.CancelledError:
            accepted, _ = await booked
            if accepted and write is not None:
                self._learn(write)
            raise
        if accepted and write is not None:
            self._learn(write)
            self.work.broadcast.end(self.ref.key)
        return accepted, events

    def _learn(self, write: StepWrite) -> None:
        """Take the committed result into the engine's view. One that was given up on stays out of the deliberation."""
        ballot = write.payload.get("ballot")
        self.work.steps[self.ref.key] = StepState(
            key=self.ref.key,
            status=StepStatus.LATE_DONE if self._is_late and write.status is StepStatus.DONE else write.status,
            text=write.text,
            ballot=ballot_from_json(ballot) if ballot else None,
            error_kind=write.error_kind,
            latency_s=None if write.latency_ms is None else write.latency_ms / 1000,
            substituted=write.substituted,
        )
