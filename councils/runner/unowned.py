"""Which runs nobody has owned for so long that their message must be lost: those are sent again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from councils.store.claims import LiveRun, Sign

MOST = 100
"""Runs that are sent again at once, so that a queue is never flooded by its own cure."""


@dataclass(slots=True)
class Unowned:
    """Remembers since when runs are free, on this process's monotonic clock. Each is sent again once in ``patience_s`` at most."""

    patience_s: float
    _since: dict[int, tuple[Sign, float]] = field(default_factory=dict)

    def due(self, runs: Sequence[LiveRun], *, now: float) -> list[int]:
        """Runs to send again now, oldest first, at most ``MOST``; the others wait for the next time."""
        self._since = {run.pk: self._seen(run, now) for run in runs if run.free}
        due = [pk for pk, (_, since) in self._since.items() if now - since >= self.patience_s][:MOST]
        for pk in due:
            self._since[pk] = (self._since[pk][0], now)
        return due

    def _seen(self, run: LiveRun, now: float) -> tuple[Sign, float]:
        seen = self._since.get(run.pk)
        return seen if seen is not None and seen[0] == run.sign else (run.sign, now)
