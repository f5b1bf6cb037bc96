"""The viewers of this process, reached directly through their own event loops."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Viewer:
    """One open socket of this process: ``deliver`` is called on ``loop`` with a serialised message."""

    loop: asyncio.AbstractEventLoop
    deliver: Callable[[str], None]


class Hub:
    """The viewers of this process by run. Threads: the engine loop publishes, the web server's loop subscribes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: dict[str, set[Viewer]] = {}

    def subscribe(self, run_id: str, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.setdefault(run_id, set()).add(viewer)

    def unsubscribe(self, run_id: str, viewer: Viewer) -> None:
        with self._lock:
            viewers = self._viewers.get(run_id, set())
            viewers.discard(viewer)
            if not viewers:
                self._viewers.pop(run_id, None)

    def watched(self) -> frozenset[str]:
        """The runs that have viewers here."""
        with self._lock:
            return frozenset(self._viewers)

    def send(self, run_id: str, text: str) -> None:
        """Deliver to every viewer of the run: at once to those of the loop that calls, by one call for each other loop."""
        with self._lock:
            viewers = tuple(self._viewers.get(run_id, ()))
        by_loop: dict[asyncio.AbstractEventLoop, list[Viewer]] = {}
        for viewer in viewers:
            by_loop.setdefault(viewer.loop, []).append(viewer)
        here = _running_loop()
        for loop, some in by_loop.items():
            if loop is here:
                _deliver(some, text)
                continue
            try:
                loop.call_soon_threadsafe(_deliver, some, text)
            except RuntimeError:  # The viewers' loop is closed: its process is going down, and nobody looks any more.
                for viewer in some:
                    self.unsubscribe(run_id, viewer)


def _deliver(viewers: Sequence[Viewer], text: str) -> None:
    for viewer in viewers:
        viewer.deliver(text)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


hub = Hub()
