"""The time limits of one call, as one moment that moves."""

from councils.engine.types import Deadlines

# How long an answer that is whole may keep us waiting for its usage and its terminal event.
TAIL_S = 5.0


class Stopwatch:
    """Knows when a call is out of time. Times are those of the event loop's clock, in seconds.

    Only work of the model counts as progress, so neither comments nor a byte every ten seconds keep a call alive; the total limit
    holds whatever arrives.
    """

    def __init__(self, limits: Deadlines, *, now: float) -> None:
        self._limits = limits
        self.started_at = now
        self._end = now + limits.total_s
        self._progress_by = now + limits.first_token_s
        self._started = False
        self._tail = False

    @property
    def expires_at(self) -> float:
        """The moment at which waiting ends, if nothing happens before."""
        return min(self._end, self._progress_by)

    def progress(self, now: float) -> None:
        """The model has brought something: from now on the idle limit counts, and it counts anew."""
        self._started = True
        if not self._tail:
            self._progress_by = now + self._limits.idle_s

    def text_is_whole(self, now: float) -> None:
        """Only formalities are awaited. Later calls do not move the moment again."""
        if not self._tail:
            self._tail = True
            self._progress_by = min(now + TAIL_S, now + self._limits.idle_s)

    def verdict(self) -> str:
        """Which limit it was, for the error's detail."""
        if self._end <= self._progress_by:
            return f"total: not finished within {self._limits.total_s:g} s."
        if self._started:
            return f"idle: nothing new for {self._limits.idle_s:g} s."
        return f"first_token: no text within {self._limits.first_token_s:g} s."
