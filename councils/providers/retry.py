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
