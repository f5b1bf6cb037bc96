"""Handing work to whoever runs it: ids in, one call each.

Embedded: the engine loop of this process, if it has one. Otherwise nothing needs to be done: whoever scans for unowned runs finds the row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from councils import live
from councils.runner import host


def start(run_pk: int) -> None:
    """Drive this run soon. Losing this call does no harm: the scan finds every run that nobody owns."""
    host.current().submit(run_pk)


def nudge(run_pk: int, run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """The run was changed from outside: tell viewers, and its owner if it is in this process."""
    live.tell(run_id, events)
    host.current().nudge(run_pk)
