"""Where calls go: the endpoints that this process asks, how busy each is, and which of them, or which model there, is left alone."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Self

from councils.engine.errors import EndpointUnavailable, ProviderError
from councils.providers.breaker import MODEL, Breaker, BreakerPolicy, BreakerState, Permit
from councils.snapshot import EndpointTarget, ModelTarget

# A provider that works says so to the database this often at most: what was noted against it is taken back.
ALL_CLEAR_S = 60.0


class _Line:
    """One endpoint of one provider: its breaker, those of its models, and who waits for a slot there, for which model."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.breaker = Breaker(policy)
        self.models: defaultdict[str, Breaker] = defaultdict(lambda: Breaker(policy, MODEL))
        self.open_calls = 0
        # Who is woken with a line may have its free slot; who is woken with none shall look elsewhere.
        self.waiting: deque[tuple[str, asyncio.Future[_Line | None]]] = deque()

    def would_permit(self, model: str, now: float) -> bool:
        """Whether neither the endpoint nor this model is left alone."""
        return self.breaker.would_permit(now) and self.models[model].would_permit(now)

    def wake_one(self) -> None:
        """A slot is free: whoever has waited longest looks again."""
        while self.waiting:
            _, turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(self)
                return

    def wake_all(self, model: str | None = None) -> None:
        """Nobody gets a slot here for a while, or nobody for this model: let them look elsewhere."""
        waiting, self.waiting = self.waiting, deque()
        for wanted, turn in waiting:
            if model is not None and wanted != model:
                self.waiting.append((wanted, turn))
            elif not turn.done():
                turn.set_result(None)


class Lease:
    """The right to ask one model at one endpoint once, used with ``async with``. Without a verdict the call told nothing of either."""

    def __init__(self, line: _Line, endpoint: EndpointTarget, model: str, permits: dict[Breaker, Permit], now: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self.line = line
        self._model = model
        self._permits = permits
        self._now = now
        self._told = False
        line.open_calls += 1

    def succeeded(self) -> None:
        """The endpoint gave an answer of this model's."""
        self._told = True
        for breaker, permit in self._permits.items():
            breaker.succeeded(permit)

    def failed(self, error: ProviderError) -> None:
        """The call ended so. Whether that speaks against the endpoint, or against this model there, the breakers know."""
        self._told = True
        for breaker, permit in self._permits.items():
            breaker.failed(permit, error, self._now())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._told:
            for breaker, permit in self._permits.items():
                breaker.abandoned(permit)
        self.line.open_calls -= 1
        if self.line.breaker.state is not BreakerState.CLOSED:
            self.line.wake_all()
            return
        if self.line.models[self._model].state is not BreakerState.CLOSED:
            self.line.wake_all(self._model)
        self.line.wake_one()


class Switchboard:
    """The endpoints of one process, by provider and address. Lives on one event loop.

    A call goes to the least busy endpoint (open calls against its limit) that is not left alone; where all of these are full, it waits
    its turn. The breakers only choose: no deadline is moved by them.
    """

    def __init__(self, policy: BreakerPolicy | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._policy = policy or BreakerPolicy()
        self._lines: dict[tuple[int, str], _Line] = {}
        self._cleared: dict[int, float] = {}

    def line(self, provider_id: int, endpoint: EndpointTarget) -> _Line:
        """What is known of one endpoint."""
        key = (provider_id, endpoint.base_url)
        if key not in self._lines:
            self._lines[key] = _Line(self._policy)
        return self._lines[key]

    def state(self, provider_id: int, endpoint: EndpointTarget, model: str | None = None) -> BreakerState:
        """The state of an endpoint, or that of one model there."""
        line = self.line(provider_id, endpoint)
        return (line.breaker if model is None else line.models[model]).state

    def left_alone(self) -> list[dict[str, Any]]:
        """Every endpoint, and every model at one, that is not asked as usual now. For people to look at."""
        found: list[dict[str, Any]] = []
        for (provider_id, address), line in self._lines.items():
            here = {"provider": provider_id, "address": address}
            breakers = {"": line.breaker, **line.models}
            found += [
                {**here, "model": model, "state": breaker.state.value}
                for model, breaker in breakers.items()
                if breaker.state is not BreakerState.CLOSED
            ]
        return found

    async def lease(self, target: ModelTarget, *, resting: Collection[str] = ()) -> Lease:
        """A slot at the best endpoint of this model. ``resting`` are addresses that this step may not ask yet.

        Raises ``EndpointUnavailable`` when there is none to wait for.
        """
        woken, first = None, False
        while True:
            working = self._working(target, resting)
            free = [endpoint for endpoint in working if self._load(target, endpoint) < 1]
            lease = self._take(target, min(free, key=lambda endpoint: self._load(target, endpoint))) if free else None
            lines = [self.line(target.provider_id, endpoint) for endpoint in working]
            if woken is not None and (lease.line is not woken if lease else woken not in lines):
                # The slot that this one was woken for is still free: it goes to the next in line.
                woken.wake_one()
            if lease is not None:
                return lease
            if not working:
                raise EndpointUnavailable
            woken, first = await self._turn(lines, target.name, first=first), True

    def has_working(self, target: ModelTarget, *, resting: Collection[str]) -> bool:
        """Whether this model has an endpoint that works and need not rest."""
        return bool(self._working(target, resting))

    def all_clear_is_due(self, provider_id: int) -> bool:
        """Whether a success at this provider should be told to the database: now and then, and after each refusal at once."""
        now = self.now()
        if now - self._cleared.get(provider_id, -ALL_CLEAR_S) < ALL_CLEAR_S:
            return False
        self._cleared[provider_id] = now
        return True

    def note_refusal(self, provider_id: int) -> None:
        """The provider refused our key: its next success is news."""
        self._cleared.pop(provider_id, None)

    def _working(self, target: ModelTarget, resting: Collection[str]) -> list[EndpointTarget]:
        now = self.now()
        return [
            endpoint
            for endpoint in target.endpoints
            if endpoint.base_url not in resting and self.line(target.provider_id, endpoint).would_permit(target.name, now)
        ]

    def _load(self, target: ModelTarget, endpoint: EndpointTarget) -> float:
        return self.line(target.provider_id, endpoint).open_calls / endpoint.max_parallel_calls

    def _take(self, target: ModelTarget, endpoint: EndpointTarget) -> Lease | None:
        line, now = self.line(target.provider_id, endpoint), self.now()
        if not line.would_permit(target.name, now):
            return None
        permits = {breaker: permit for breaker in (line.breaker, line.models[target.name]) if (permit := breaker.permit(now)) is not None}
        return Lease(line, endpoint, target.name, permits, self.now)

    @staticmethod
    async def _turn(lines: list[_Line], model: str, *, first: bool) -> _Line | None:
        """Wait until one of these has a free slot; ``None`` where one is left alone from now on.

        ``first``: somebody was quicker at the last one, so this one does not queue again.
        """
        turn: asyncio.Future[_Line | None] = asyncio.get_running_loop().create_future()
        for line in lines:
            (line.waiting.appendleft if first else line.waiting.append)((model, turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and (given := turn.result()) is not None:
                # The turn came together with the cancellation: the next in line has it.
                given.wake_one()
            raise
