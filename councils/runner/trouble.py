"""What goes wrong again and again is told in full once, then in a line a minute: a log that is flooded hides everything else."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from logging import ERROR, WARNING, Logger

REMIND_S = 60.0


@dataclass(slots=True)
class Trouble:
    """One thing that is tried again and again, by one thread. Each kind of fault is told in full until it goes well again."""

    logger: Logger
    now: Callable[[], float] = time.monotonic
    _kinds: set[type[BaseException]] = field(default_factory=set)
    _untold: int = 0
    _remind_at: float = 0.0

    def met(self, what: str, fault: BaseException, *, in_full: bool = True) -> None:
        """It failed, which is told as ``what``: with its traceback where nobody else has written that down."""
        if type(fault) not in self._kinds:
            self._kinds.add(type(fault))
            self._remind_at = self.now() + REMIND_S
            self.logger.log(ERROR if in_full else WARNING, "%s: %s", what, fault, exc_info=fault if in_full else None)
            return
        self._untold += 1
        if self.now() >= self._remind_at:
            self.logger.log(ERROR if in_full else WARNING, "%s, %d times more: %s", what, self._untold, fault)
            self._remind_at, self._untold = self.now() + REMIND_S, 0

    def over(self) -> None:
        """It went well."""
        if self._kinds:
            self._kinds.clear()
            self._untold = 0
