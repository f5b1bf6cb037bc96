"""Times counted in classes that grow by a tenth, so that hours can be added up to days and still tell their percentiles.

Percentiles of parts cannot be averaged; counts can be added. A percentile read back is within a tenth (and a millisecond) of the true one.
Where all times are the same it is exact.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

LONGEST_MS = 3_600_000
"""What takes longer is counted as this long; only ``most_ms`` knows better."""


def _bounds() -> tuple[int, ...]:
    bounds = [0, 1]
    while bounds[-1] < LONGEST_MS:
        bounds.append(max(bounds[-1] + 1, bounds[-1] * 11 // 10))
    return tuple(bounds)


BOUNDS = _bounds()
"""The longest time of each class, in milliseconds. The stored numbers of the classes depend on it: it never changes."""


@dataclass(slots=True, kw_only=True)
class Histogram:
    """Counts of times by class, with their exact sum, least and most. All in milliseconds; without times ``None``."""

    counts: dict[int, int] = field(default_factory=dict)
    total_ms: int = 0
    least_ms: int | None = None
    most_ms: int | None = None

    @classmethod
    def of(cls, times_ms: Iterable[int]) -> "Histogram":
        made = cls()
        for time_ms in times_ms:
            made.add(time_ms)
        return made

    @classmethod
    def stored(cls, counts: Mapping[str, int], total_ms: int, least_ms: int | None, most_ms: int | None) -> "Histogram":
        """As ``to_json`` and the columns beside it keep it."""
        return cls(counts={int(place): n for place, n in counts.items()}, total_ms=total_ms, least_ms=least_ms, most_ms=most_ms)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def average_ms(self) -> int | None:
        return round(self.total_ms / self.count) if self.counts else None

    def add(self, time_ms: int) -> None:
        place = min(bisect_left(BOUNDS, time_ms), len(BOUNDS) - 1)
        self.counts[place] = self.counts.get(place, 0) + 1
        self.total_ms += time_ms
        self._stretch(time_ms, time_ms)

    def merge(self, other: "Histogram") -> None:
        """Add another one's times to these."""
        for place, n in other.counts.items():
            self.counts[place] = self.counts.get(place, 0) + n
        self.total_ms += other.total_ms
        if other.least_ms is not None and other.most_ms is not None:
            self._stretch(other.least_ms, other.most_ms)

    def percentile(self, share: float) -> int | None:
        """The time within which this share (0-1] of all ended, by nearest rank; ``None`` without times."""
        if not self.counts or self.least_ms is None or self.most_ms is None:
            return None
        wanted = nearest_rank(share, self.count)
        for place in sorted(self.counts):
            if wanted <= self.counts[place]:
                return self._within(place, wanted / self.counts[place])
            wanted -= self.counts[place]
        return self.most_ms

    def _within(self, place: int, share: float) -> int:
        """The time at this share of a class, as if its times were spread evenly between the times that bound it."""
        least, most = self.least_ms or 0, self.most_ms or 0
        # The last class is open: only the longest time bounds it.
        bound = most if place == len(BOUNDS) - 1 else min(BOUNDS[place], most)
        start = max(BOUNDS[place - 1] if place else 0, least)
        return round(start + (bound - start) * share)

    def to_json(self) -> dict[str, int]:
        """The counts of the classes that hold any, by number of the class."""
        return {str(place): self.counts[place] for place in sorted(self.counts)}

    def _stretch(self, least_ms: int, most_ms: int) -> None:
        self.least_ms = least_ms if self.least_ms is None else min(self.least_ms, least_ms)
        self.most_ms = most_ms if self.most_ms is None else max(self.most_ms, most_ms)


def nearest_rank(share: float, count: int) -> int:
    """Which of ``count`` ordered values, from 1, has this share of them at or below it."""
    return min(max(ceil(share * count), 1), count)


def exact_percentile(ordered_ms: list[int], share: float) -> int | None:
    """The percentile of times that are all at hand, in order."""
    return ordered_ms[nearest_rank(share, len(ordered_ms)) - 1] if ordered_ms else None
