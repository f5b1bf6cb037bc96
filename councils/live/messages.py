"""What viewers are told, as it travels: typed messages, and the channels of Redis that carry them between processes."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from councils.models.base import PUBLIC_ID_LENGTH

PROCESS_ID = uuid.uuid4().hex
"""Marks what this process sent, so that it does not hear itself through Redis."""

CHANNEL = "council.run."

PASSED_ON = ('{"type":"delta"', '{"type":"changed"')
"""How messages begin, once serialised, that viewers get as they are. Events are put in order first."""


class EventMessage(TypedDict):
    type: str
    run: str
    event: Mapping[str, Any]


class DeltaMessage(TypedDict):
    """``items`` are (step key, attempt, offset of the text, text)."""

    type: str
    run: str
    items: Sequence[tuple[str, int, int, str]]


class ChangedMessage(TypedDict):
    """Read the run again: its record has changed beyond its last event."""

    type: str
    run: str


class Draft(TypedDict):
    attempt: int
    text: str


def channel_name(run_id: str) -> str:
    """Where live messages of a run go between processes: the sender's ``PROCESS_ID``, a space, the message."""
    return CHANNEL + run_id


def run_of_channel(name: str) -> str:
    return name.removeprefix(CHANNEL)


def valid_run_id(run_id: str) -> bool:
    """Whether this can be a run's id at all. Only such a name may reach Redis."""
    return len(run_id) == PUBLIC_ID_LENGTH and run_id.isascii() and run_id.isalnum()
