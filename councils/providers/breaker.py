"""A circuit breaker for an endpoint, or for one model there: after several failures in a row it is left alone, then one call tries it.

A connection that cannot be made speaks of the whole endpoint. A fault of the provider's, a broken answer or one that does not come speak
of the model that was asked: behind one address a gateway serves many, and one that is down must not close the others.

Pure: the clock is handed in (monotonic seconds), nothing is awaited. One breaker lives as long as its process; each process learns by
itself, which costs a few calls and needs no agreement.
"""

from dataclasses import dataclass
from enum import StrEnum

from councils.engine.errors import AnswerTimeout, BrokenStream, ConnectFailed, EgressDenied, ProviderError, ProviderUnavailable


@dataclass(frozen=True, slots=True)
class Scope:
    """What a breaker hears: errors that count against what it guards, and those that tell nothing of it. All others show that it works."""

    counts: tuple[type[ProviderError], ...]
    silent: tuple[type[ProviderError], ...]


# A rate limit, a refused key or a bad request come from an endpoint, and a model, that work.
ENDPOINT = Scope(counts=(ConnectFailed,), silent=(EgressDenied, AnswerTimeout))
MODEL = Scope(counts=(ProviderUnavailable, AnswerTimeout, BrokenStream), silent=(EgressDenied, ConnectFailed))


class BreakerState(StrEnum):
    CLOSED = "closed"  # calls go through
    OPEN = "open"  # calls are refused
    HALF_OPEN = "half_open"  # one call is trying


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Opens after ``failures`` in a row. After ``pause_s`` one call tries; each that fails doubles the pause, up to the longest."""

    failures: int = 5
    pause_s: float = 5.0
    longest_pause_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call. ``probe`` says that it is the one that tries what is in trouble."""

    probe: bool = False


class Breaker:
    """Ask for a permit before a call; after it, tell ``succeeded``, ``failed`` or, where it tells nothing, ``abandoned``."""

    def __init__(self, policy: BreakerPolicy | None = None, scope: Scope = ENDPOINT) -> None:
        self._policy = policy or BreakerPolicy()
        self._scope = scope
        self._failures = 0
        self._reopened = 0
        self._opened_at: float | None = None
        self._probe: Permit | None = None

    @property
    def state(self) -> BreakerState:
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._probe is None else BreakerState.HALF_OPEN

    @property
    def pause_s(self) -> float:
        """How long an open breaker refuses all calls."""
        # The exponent is bounded, or an endpoint that is away for weeks would overflow it.
        return min(self._policy.pause_s * 2.0 ** min(self._reopened, 32), self._policy.longest_pause_s)

    def would_permit(self, now: float) -> bool:
        """Whether ``permit`` would give one now. Changes nothing."""
        if self._opened_at is None:
            return True
        return self._probe is None and now - self._opened_at >= self.pause_s

    def permit(self, now: float) -> Permit | None:
        """The right to call; ``None`` while it is left alone. After a probe no other is given until its outcome is told."""
        if not self.would_permit(now):
            return None
        if self._opened_at is None:
            return Permit()
        self._probe = Permit(probe=True)
        return self._probe

    def succeeded(self, permit: Permit) -> None:
        """It works, whoever found out."""
        self._failures = self._reopened = 0
        self._opened_at = self._probe = None

    def failed(self, permit: Permit, error: ProviderError, now: float) -> None:
        """A call ended in ``error``; what that says, the scope knows."""
        if isinstance(error, self._scope.silent):
            self.abandoned(permit)
        elif not isinstance(error, self._scope.counts):
            self.succeeded(permit)
        elif self._opened_at is None:
            self._failures += 1
            if self._failures >= self._policy.failures:
                self._opened_at = now
        elif permit is self._probe:
            self._reopened += 1
            self._opened_at, self._probe = now, None

    def abandoned(self, permit: Permit) -> None:
        """The call told nothing, for instance because it was cancelled. Another may try in its place."""
        if permit is self._probe:
            self._probe = None
