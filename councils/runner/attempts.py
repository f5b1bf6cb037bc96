"""The paid calls of one step: the one retry loop of the system.

Every attempt is committed before it is sent and booked with what it brought. After a failure ``validation.recovery`` says what to try:
the same model again (at another endpoint at once, else after a pause), weaker structure, the fallback model; then the step has failed.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import ParamSpec

from django.conf import settings

from councils.engine.actions import StartCall
from councils.engine.digest import messages_digest
from councils.engine.errors import (
    AnswerTimeout,
    AuthenticationFailed,
    BrokenStream,
    EndpointUnavailable,
    ProviderError,
    StructureUnsupported,
)
from councils.engine.outcome import StepResult, conclude
from councils.engine.prompts import PreparedCall, prepare
from councils.engine.types import Completion, CompletionRequest, Delta, StepStatus, StructuredMode, Usage
from councils.models import CallStatus, ModelInfo, Provider
from councils.providers.factory import provider_for
from councils.providers.retry import RetryBudget, RetryPolicy
from councils.providers.structured import demote
from councils.runner import validation
from councils.runner.booking import StepBooks, booking_of, is_unbilled, recalled, usage_of_failure
from councils.runner.requesting import endpoint_of, policy_of, request_of
from councils.runner.switchboard import Lease
from councils.runner.validation import Answer, Strategy
from councils.runner.work import RunWork
from councils.snapshot import ModelTarget
from councils.store.calls import Begun, Sending, StepHasResult, StepRef
from councils.telemetry import scope

P = ParamSpec("P")

# Sleeping and measuring may disagree by this much.
CLOCK_SLACK_S = 0.005


@dataclass(frozen=True, slots=True)
class _Sent:
    """A call under way: where, since when (monotonic), and what was asked."""

    begun: Begun
    request: CompletionRequest
    lease: Lease
    at: float


Keep = Callable[[CompletionRequest, Completion], Awaitable[None]]
"""Keeps a valid answer and what it answers, for others who ask the same."""


class StepAttempts:
    """The calls of one step, from the first try to its result. Cancelling it closes the connection and books what was sent."""

    def __init__(self, work: RunWork, action: StartCall) -> None:
        self.work = work
        self.ref = StepRef(key=action.key, stage=action.stage, agent_id=action.agent_id)
        self.books = StepBooks(work, self.ref)
        self.prepared: PreparedCall = prepare(work.spec, action.key, work.steps, question=work.question, history=work.history)
        self.models = list(self.prepared.models)
        self.substituted = False
        self.repaired = False
        self.mode: StructuredMode = self._first_mode()
        self._asked_at = self._going_over_from = ""
        self._rests: dict[str, float] = {}
        self.keep: Keep | None = None
        self._budget = RetryBudget(_policy(), models=len(self.models))
        self._strategies: dict[Strategy, Callable[[ProviderError], float | None]] = {
            Strategy.RETRY: self._ask_again,
            Strategy.WEAKER: self._ask_for_less,
            Strategy.FALLBACK: self._ask_another,
        }

    async def run(self) -> None:
        """Call until the step has its result. Raises ``LostRun`` when the run is not ours any more."""
        delay: float | None = 0.0
        # The step may be given up on while this waits: then nothing more may be asked for it.
        with contextlib.suppress(StepHasResult):
            while delay is not None:
                if delay:
                    await asyncio.sleep(delay)
                delay = await self._next_call()

    @property
    def target(self) -> ModelTarget:
        return self.work.snapshot.models[self.models[0]]

    @property
    def _is_late(self) -> bool:
        return self.ref.key in self.work.given_up or self.work.steps[self.ref.key].status is StepStatus.LATE

    @property
    def _is_given_up(self) -> bool:
        """Nobody waits for it any more, and nothing was asked yet: then nothing is."""
        return self._is_late and not self.work.attempts.get(self.ref.key)

    def _first_mode(self) -> StructuredMode:
        return self.target.structured_mode if self.prepared.schema is not None else StructuredMode.PLAIN

    async def _next_call(self) -> float | None:
        """One call, if an endpoint can be asked. Returns the seconds to wait before the next one, or ``None``: the step has its result."""
        try:
            lease = await self.work.board.lease(self.target, resting=self._resting())
        except EndpointUnavailable as error:
            return await self._unsent(error)
        finally:
            self._going_over_from = ""
        async with lease:
            if self._is_given_up:
                return None
            return await self._attempt(lease)

    async def _attempt(self, lease: Lease) -> float | None:
        asked = self.mode.value if self.prepared.schema is not None else ""
        digest = messages_digest(self.prepared.messages)
        sending = Sending(endpoint=lease.endpoint.base_url, structured_mode=asked, substituted=self.substituted, prompt_hash=digest)
        begun = await self.books.begin(self.target, self.prepared, sending)
        with scope.working_on("call", begun.call_id):
            return await self._send(begun, lease)

    async def _send(self, begun: Begun, lease: Lease) -> float | None:
        request = request_of(self.work, self.prepared, self.target, call_id=begun.call_id, mode=self.mode)
        sent = _Sent(begun, request, lease, time.monotonic())
        try:
            completion = await self._stream(sent)
        except ProviderError as error:
            self._tell(sent, error)
            return await self._failed(sent, error, usage_of_failure(request, error, written=self.books.written))
        except asyncio.CancelledError:
            await self.books.cancelled(begun, self.target, request, sent.at)
            raise
        self._tell_that_it_works(sent)
        return await self._answered(sent, completion)

    async def _stream(self, sent: _Sent) -> Completion:
        broadcast, key, at = self.work.broadcast, self.ref.key, sent.lease.endpoint
        provider = provider_for(endpoint_of(self.work, self.target, at), policy=policy_of(at))
        async with aclosing(provider.stream(sent.request)) as stream:
            async for part in stream:
                if isinstance(part, Delta):
                    broadcast.text(key, part.text)
                else:
                    return part
        raise BrokenStream("The answer ended without its end mark.")

    async def _answered(self, sent: _Sent, completion: Completion) -> float | None:
        result = self._result_of(completion)
        answer = Answer(request=sent.request, completion=completion, result=result)
        findings = list(validation.examine(answer))
        error = next((check.error for check in findings if check.error is not None), None)
        if error is not None:
            said = completion.text if result.status is not StepStatus.FAILED else ""
            return await self._failed(sent, error(said), completion.usage, completion)
        for check in findings:
            self._note(sent, check.kind, answer.usable)
        booking = booking_of(CallStatus.DONE, self.target, completion.usage, sent.at, completion)
        booking = replace(booking, findings=[check.kind for check in findings])
        if result.repair is not None:
            await self.books.settle(sent.begun, booking, headers_ms=completion.headers_ms)
            self.prepared, self.repaired = result.repair, True
            return 0.0
        write = self.books.result(result, self.prepared, completion, target=self.target, substituted=self.substituted)
        await self.books.settle(sent.begun, booking, write, headers_ms=completion.headers_ms)
        if self.keep is not None and result.status is StepStatus.DONE and not self.repaired:
            await self.keep(sent.request, completion)
        return None

    def _result_of(self, completion: Completion) -> StepResult:
        """What the step becomes by this answer. Nobody waits for the repair of a late one."""
        result = conclude(self.work.spec, self.prepared, completion.text, repaired=self.repaired)
        return replace(result, repair=None) if self._is_late else result

    def first_request(self) -> CompletionRequest:
        """What would be sent now."""
        return request_of(self.work, self.prepared, self.target, call_id="", mode=self.mode)

    async def recall(self, completion: Completion, *, looked_ms: int) -> bool:
        """Take an earlier answer to this very request, at no cost. ``False``: it is of no use here, ask."""
        if self._is_given_up:
            return True
        result = conclude(self.work.spec, self.prepared, completion.text, repaired=False)
        if result.status is not StepStatus.DONE:
            return False
        asked = self.mode.value if self.prepared.schema is not None else ""
        with contextlib.suppress(StepHasResult):
            digest = messages_digest(self.prepared.messages)
            sending = Sending(structured_mode=asked, cached=True, prompt_hash=digest)
            write = self.books.result(result, self.prepared, completion, target=self.target, substituted=False)
            # The time of the call that was paid: the council's patience with its other seats goes by it.
            write = replace(write, latency_ms=completion.latency_ms)
            await self.books.recall(self.target, sending, recalled(completion, looked_ms), write, said=completion.text)
        return True

    async def _failed(self, sent: _Sent, error: ProviderError, usage: Usage | None, completion: Completion | None = None) -> float | None:
        """Book a failed call and say what follows. The step's failure is in the same commit as its last call."""
        status = CallStatus.REFUSED if is_unbilled(error) else CallStatus.BROKEN
        booking = booking_of(status, self.target, usage, sent.at, completion)
        if not isinstance(error, StructureUnsupported):
            self._budget.spend()
        self._asked_at = sent.lease.endpoint.base_url
        strategy, delay = self._recover(error)
        if isinstance(error, validation.ANSWER_FAULTS):
            self._note(sent, error.kind, strategy)
        booking = replace(booking, error_kind=error.kind, error_detail=error.message, retry_in_s=delay)
        end = None if delay is not None else self.books.failure(error, target=self.target, substituted=self.substituted)
        await self.books.settle(sent.begun, booking, end, headers_ms=completion.headers_ms if completion else None)
        return delay

    async def _unsent(self, error: EndpointUnavailable) -> float | None:
        """No endpoint can be asked now. Waiting for one costs a try; in the end the step fails without a call."""
        self._asked_at = ""
        if len(self.models) == 1:
            self._budget.spend()
        _, delay = self._recover(error)
        if delay is None:
            await self.books.refuse(error, target=self.target, substituted=self.substituted)
        return delay

    def _recover(self, error: ProviderError) -> tuple[Strategy, float | None]:
        """What is done about a failure, and the seconds to wait before it; ``None``: the step has failed."""
        if not self._is_late:
            for strategy in validation.recovery(error):
                delay = self._strategies[strategy](error)
                if delay is not None:
                    return strategy, delay
        return Strategy.GIVE_UP, None

    def _ask_again(self, error: ProviderError) -> float | None:
        """The same model: at once where another endpoint works, else when the one that failed has had its rest."""
        others, now = len(self.models) - 1, time.monotonic()
        delay = self._budget.delay(error, models_left=others, jitter=random.random())
        if self._asked_at:
            self._rests[self._asked_at] = now + (math.inf if delay is None else delay)
            self._going_over_from = self._asked_at
            if self._budget.may_go_over(error, models_left=others) and self.work.board.has_working(self.target, resting=self._resting()):
                return 0.0
            self._going_over_from = ""
        if delay is None or delay >= self.work.left_s():
            return None
        return min([delay, *(until - now for until in self._rests.values() if until > now)])

    def _ask_for_less(self, error: ProviderError) -> float | None:
        weaker = demote(self.mode, error)
        if weaker is None:
            return None
        self._aside(ModelInfo.objects.demote, self.target.model_id, refused=self.mode, weaker=weaker)
        self.mode = weaker
        return 0.0

    def _ask_another(self, error: ProviderError) -> float | None:
        if len(self.models) == 1:
            return None
        self.models.pop(0)
        self.substituted = True
        self.mode = self._first_mode()
        self._rests.clear()
        self._budget.next_model()
        return 0.0

    def _resting(self) -> frozenset[str]:
        """Addresses that failed this step and may not be asked yet."""
        now = time.monotonic() + CLOCK_SLACK_S
        return frozenset(address for address, until in self._rests.items() if until > now or address == self._going_over_from)

    def _tell(self, sent: _Sent, error: ProviderError) -> None:
        """Let the endpoint's breaker, and where the key was refused staff, know of a failure."""
        provider_id = self.target.provider_id
        limit = sent.request.deadlines.total_s
        if isinstance(error, AnswerTimeout) and limit < settings.GENERATION_TIMEOUT and time.monotonic() - sent.at >= limit - CLOCK_SLACK_S:
            # The run's own time was up: that says nothing of the endpoint.
            return
        sent.lease.failed(error)
        if isinstance(error, AuthenticationFailed):
            self.work.board.note_refusal(provider_id)
            self._aside(Provider.objects.mark, provider_id, error.message)

    def _tell_that_it_works(self, sent: _Sent) -> None:
        sent.lease.succeeded()
        if self.work.board.all_clear_is_due(self.target.provider_id):
            self._aside(Provider.objects.clear, self.target.provider_id)

    def _note(self, sent: _Sent, kind: str, strategy: Strategy) -> None:
        validation.note(kind, strategy, run=self.work.claim.public_id, step=self.ref.key, call=sent.begun.call_id)

    def _aside(self, write: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Write something that the run does not wait for and does not need."""
        task = asyncio.ensure_future(self.work.writer(write, *args, **kwargs))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _policy() -> RetryPolicy:
    return RetryPolicy(
        max_retries=settings.LLM_RETRY_MAX_ATTEMPTS,
        base_delay_s=settings.LLM_RETRY_BASE_DELAY,
        max_delay_s=settings.LLM_RETRY_MAX_DELAY,
    )
