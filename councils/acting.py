"""Who acts in this request or command, for records of what was changed. Doors say it once; services need not pass it along."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Door(StrEnum):
    """Where somebody came in. ``SYSTEM`` is nobody: a task, or a line typed into a shell."""

    ADMIN = "admin"
    API = "api"
    PAGE = "page"
    COMMAND = "command"
    SYSTEM = "system"


def _nobody() -> Any:
    return None


@dataclass(frozen=True, slots=True)
class Acting:
    """``who`` gives the user when it is needed, since a request may learn only later whom it serves. ``name`` is that of a command."""

    door: Door
    name: str = ""
    who: Callable[[], Any] = _nobody


_NOBODY = Acting(Door.SYSTEM)
_present: ContextVar[Acting] = ContextVar("acting", default=_NOBODY)


def present() -> Acting:
    """Who acts now."""
    return _present.get()


@contextmanager
def acting(who: Acting) -> Iterator[None]:
    """Whatever is changed inside was done by them."""
    token = _present.set(who)
    try:
        yield
    finally:
        _present.reset(token)
