"""Whether and when to try again: a pure policy. The one loop that follows it is the runner's."""

from dataclasses import dataclass

from councils.engine.errors import ProviderError, ProviderUnavailable, RateLimited

# How much of a delay chance may add, so that the calls of one run do not come back all at once.
JITTER_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """``max_retries`` comes on top of the first try. Delays in seconds: ``base``, twice that, four times, up to ``max_delay_s``.

    A provider that asks for more patience than ``max_retry_after_s`` counts as unavailable.
    """

    max_retries: int = 3
    base_delay_s: float = 1.0
    max_delay_s: float = 8.0
    max_retry_after_s: float = 60.0


class RetryBudget:
    """The tries of one step, over all models and endpoints that it may ask.

    There are ``1 + max_retries`` in all. Each fallback model that has not been asked keeps one of them; where there are more models than
    tries, each is asked once.
    """

    def __init__(self, policy: RetryPolicy, *, models: int) -> None:
        self._policy = policy
        self._left = max(1 + policy.max_retries, models)
        self._failed_here = 0

    def spend(self) -> None:
        """A try has failed."""
        self._left -= 1
        self._failed_here += 1

    def next_model(self) -> None:
        """Another model is asked from now on: it is given its own delays."""
        self._failed_here = 0

    def delay(self, error: ProviderError, *, models_left: int, jitter: float) -> float | None:
        """Seconds until this model may be asked again after ``error``, which was spent; ``None`` where it may not.

        ``models_left`` are those after this one.
        """
        if self._left <= models_left:
            return None
        return delay_before(self._policy, error, self._failed_here - 1, jitter)

    def may_go_over(self, error: ProviderError, *, models_left: int) -> bool:
        """Whether another endpoint of this model may be asked at once after ``error``, which was spent."""
        return error.retryable and self._left > models_left


def delay_before(policy: RetryPolicy, error: ProviderError, retries_done: int, jitter: float) -> float | None:
    """Seconds to wait before the next try after ``error``; ``None`` where no further try makes sense.

    ``jitter`` is a random number in [0, 1); it adds up to a quarter of the backoff. The delay is never shorter than what the provider
    asked for.
    """
    if not error.retryable or retries_done >= policy.max_retries:
        return None
    asked = error.retry_after_s if isinstance(error, RateLimited | ProviderUnavailable) else None
    if asked is not None and not asked <= policy.max_retry_after_s:
        return None
    backoff = min(policy.base_delay_s * 2.0**retries_done, policy.max_delay_s)
    return max(backoff, asked or 0.0) + backoff * JITTER_SHARE * jitter
