"""What the work at hand is for: the request, the run and the call that every line of the log tells, wherever it is written.

Kept in context variables: they go with a coroutine, its tasks and the threads that Django hands a request to. A leaf: no Django, so that
settings may name it too.
"""

import contextlib
import re
import uuid
from collections.abc import Iterator
from contextvars import ContextVar

NAMES = ("request", "run", "call")
_VALUES: dict[str, ContextVar[str]] = {name: ContextVar(f"council_{name}", default="") for name in NAMES}
# Long enough to be told apart, and nothing that could mean something in a log, a header or a page.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{7,63}\Z")


def request_id(told: str = "") -> str:
    """The id of a request: the one that a proxy or a client gave it, if it is well formed, else a new one."""
    return told if _WELL_FORMED.match(told) else uuid.uuid4().hex


def current(name: str) -> str:
    """The id of the ``request``, the ``run`` or the ``call`` at hand, empty where there is none."""
    return _VALUES[name].get()


def everything() -> dict[str, str]:
    """What is at hand, by name."""
    return {name: value for name, variable in _VALUES.items() if (value := variable.get())}


@contextlib.contextmanager
def working_on(name: str, value: str) -> Iterator[None]:
    """All that is done in here is for this ``request``, ``run`` or ``call``."""
    token = _VALUES[name].set(value)
    try:
        yield
    finally:
        _VALUES[name].reset(token)
