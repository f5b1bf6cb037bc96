"""A circuit breaker for one endpoint: after several failures in a row it is left alone for a while, then one call tries it.

Pure: the clock is handed in (monotonic seconds), nothing is awaited. One breaker lives as long as its process; each process learns by
itself, which costs a few calls and needs no agreement.
"""

from dataclasses import dataclass
from enum import StrEnum

from councils.engine.errors import AnswerTimeout, AuthenticationFailed, BrokenStream, ConnectFailed, ProviderError, ProviderUnavailable

# What says that the endpoint itself is in trouble. A rate limit, a refusal or a bad request come from one that works.
ENDPOINT_FAILURES = (ConnectFailed, ProviderUnavailable, AnswerTimeout, BrokenStream, AuthenticationFailed)


class BreakerState(StrEnum):
    CLOSED = "closed"  # calls go through
    OPEN = "open"  # calls are refused
    HALF_OPEN = "half_open"  # one call is trying


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Opens after ``failures`` in a row; lets one call try again every ``open_s`` seconds."""

    failures: int = 5
    open_s: float = 30.0


class Breaker:
    """Ask ``allows`` before a call; after it, tell ``succeeded``, ``failed`` or, where it was given up, ``abandoned``."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probing else BreakerState.OPEN

    def allows(self, now: float) -> bool:
        """Whether a call may begin. Where this call is the one that tries, no other may until its outcome is told."""
        if self._opened_at is None:
            return True
        if self._probing or now - self._opened_at < self._policy.open_s:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The endpoint works."""
        self._failures = 0
        self._opened_at = None
        self._probing = False

    def failed(self, error: ProviderError, now: float) -> None:
        """A call ended in ``error``; only those that are the endpoint's own fault count against it."""
        if not isinstance(error, ENDPOINT_FAILURES):
            self.succeeded()
            return
        self._failures += 1
        if self._probing or (self._opened_at is None and self._failures >= self._policy.failures):
            self._opened_at = now
        self._probing = False

    def abandoned(self) -> None:
        """The call was cancelled: it tells nothing, but another may try in its place."""
        self._probing = False
