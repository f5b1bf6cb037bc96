"""Members that are asked once more: how long it is until then."""

from collections.abc import Mapping
from datetime import datetime
from math import ceil

from django.utils.translation import gettext as _

from councils.engine.events import EventType
from councils.models import CouncilRun
from councils.web.members import State


def seconds_until_next_try(run: CouncilRun, now: datetime) -> Mapping[str, int]:
    """By step key, as the newest failed try of each step has announced it; a time that is over is 0."""
    failures = run.events.filter(type=EventType.CALL_FAILED.value).order_by("seq")
    waits = {str(event.payload.get("key")): (event.payload.get("retry_in_s"), event.created_at) for event in failures}
    return {key: max(ceil(wait - (now - since).total_seconds()), 0) for key, (wait, since) in waits.items() if wait is not None}


def retrying(seconds: int) -> State:
    """The state of a member that is asked again after this time."""
    word = _("asked again in %(seconds)d s") % {"seconds": seconds} if seconds else _("asked again now")
    return State(name="running", word=word, icon="late")
