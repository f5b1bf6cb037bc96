"""Finished records as they were rendered, so that reading one again costs a look whether it is still true."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import get_language
from rest_framework.response import Response

from councils.engine.types import StepStatus
from councils.models import CallStatus, CouncilRun, Feedback, ModelCall, RunStep

ROOM_BYTES = 8_000_000

# Whatever else a record shows is fixed when its run and all its calls have ended.
CHANGING = (
    "public_id",
    "status",
    "next_seq",
    "prompt_tokens",
    "completion_tokens",
    "known_cost_usd",
    "unknown_costs",
    "finished_at",
    "based_on",
    "pick",
    "conversation__title",
    "council__slug",
    "said_at",
    "moving",
)


def version_of(runs: QuerySet[CouncilRun]) -> str:
    """What changes whenever the record of this one run does (64 hex digits); empty while it may change otherwise, or is not there.

    One query. A run that has ended still moves while a call is under way or has lost its owner: either may yet be booked.
    """
    open_calls = ModelCall.objects.filter(run=OuterRef("pk"), status__in=(CallStatus.SENDING.value, CallStatus.ORPHANED.value))
    open_steps = RunStep.objects.filter(run=OuterRef("pk"), status__in=(StepStatus.RUNNING.value, StepStatus.LATE.value))
    feedback = Feedback.objects.filter(run=OuterRef("pk"), by=OuterRef("owner")).order_by()
    said_at = Subquery(feedback.values("updated_at")[:1])
    moving = Q(finished_at=None) | Exists(open_calls) | Exists(open_steps)
    facts = runs.order_by().annotate(said_at=said_at, moving=moving).values_list(*CHANGING).first()
    if facts is None or facts[CHANGING.index("moving")]:
        return ""
    return hashlib.sha256(repr((get_language(), facts)).encode(errors="surrogatepass")).hexdigest()


class Rendered(Response):
    """A body that is JSON already."""

    def __init__(self, body: bytes, *, headers: Mapping[str, str]) -> None:
        super().__init__(headers={"Content-Type": "application/json", **headers})
        self._body = body

    @property
    def rendered_content(self) -> Any:
        return self._body


class KeptRecords:
    """Rendered records of this process by version, the least recently read ones forgotten for new ones. Safe to use from threads."""

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self._room, self._used = room_bytes, 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, version: str) -> bytes | None:
        with self._lock:
            body = self._bodies.get(version)
            if body is not None:
                self._bodies.move_to_end(version)
            return body

    def put(self, version: str, body: bytes) -> None:
        """Keep it, unless it would push out many others."""
        if len(body) > self._room // 8:
            return
        with self._lock:
            self._used += len(body) - len(self._bodies.pop(version, b""))
            self._bodies[version] = body
            while self._used > self._room:
                self._used -= len(self._bodies.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._bodies.clear()
            self._used = 0


kept_records = KeptRecords()
