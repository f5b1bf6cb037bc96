"""What must be true together is written together."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.db import transaction

P = ParamSpec("P")
T = TypeVar("T")

_moments: set[Callable[..., Any]] = set()


def moment(function: Callable[P, T]) -> Callable[P, T]:
    """Everything that this function writes becomes true in one commit, or nothing does.

    The writer, which runs several in one commit, knows by this mark that it need not open a savepoint of its own around it.
    """
    atomic = transaction.atomic(function)
    _moments.add(atomic)
    return atomic


def is_moment(function: Callable[..., Any]) -> bool:
    return function in _moments
