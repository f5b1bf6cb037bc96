"""What a viewer of a run is told, checked against their rights at every look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

from councils.engine.types import StepStatus
from councils.live.drafts import read_drafts
from councils.live.messages import valid_run_id
from councils.models import CouncilRun, User
from councils.services.veiling import Veil, veil_of
from councils.store.events import Event, events_after


class SignedOut(Exception):
    """The session has ended, or its user may not sign in any more."""


class NotVisible(Exception):
    """There is no such run, or it is somebody else's."""


def viewer(scope: Mapping[str, Any]) -> User:
    """The user of this socket as the database knows them now. Raises ``SignedOut``.

    The session is read anew: a log-out, a changed password or a switched-off account reach open sockets with the next look.
    """
    opened = scope.get("session")
    session_key = getattr(opened, "session_key", None)
    if session_key is None or opened is None:
        raise SignedOut
    session: SessionBase = type(getattr(opened, "_wrapped", opened))(session_key)
    user = User.objects.filter(pk=session.get(SESSION_KEY, 0), is_active=True).order_by().first()
    if user is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        raise SignedOut
    return user


def still_signed_in(scope: Mapping[str, Any]) -> bool:
    try:
        viewer(scope)
    except SignedOut:
        return False
    return True


def _visible(scope: Mapping[str, Any], run_id: str) -> CouncilRun:
    # The configuration stays behind: it is large, and this is asked every two seconds for every viewer. The answer is read when it is
    # needed: one that was read before the events would be empty where the run ends in between.
    runs = CouncilRun.objects.visible_to(viewer(scope)).select_related("pick").defer("config_snapshot", "sealed_keys", "answer")
    try:
        return runs.get(public_id=run_id)
    except CouncilRun.DoesNotExist:
        raise NotVisible from None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a viewer gets to see first. Whatever comes after it has to go through ``veil``, where there is one."""

    message: dict[str, Any]
    veil: Veil | None


def snapshot(scope: Mapping[str, Any], run_id: str) -> Seen:
    """Where a run stands now, and the text so far of those who are writing. Whoever wants the finished texts reads them as pages.

    Drafts are read before the state: text that is missing in both cannot be, text that is in both does no harm.
    """
    drafts = read_drafts(run_id) if valid_run_id(run_id) else {}
    run = _visible(scope, run_id)
    open_now = (StepStatus.RUNNING.value, StepStatus.LATE.value)
    finished = set(run.steps.exclude(status__in=open_now).values_list("key", flat=True))
    message = {
        "type": "snapshot",
        "run": run.public_id,
        # One transaction would not help: the state may be newer than this number, never older, and events bring the rest.
        "seq": run.next_seq - 1,
        "live": run.is_live,
        "status": run.status,
        "drafts": {key: draft for key, draft in drafts.items() if key not in finished},
    }
    veil = veil_of(run)
    return Seen(veil.snapshot(message) if veil else message, veil)


@dataclass(frozen=True, slots=True)
class News:
    """Events that a viewer has not seen, in order, as they may see them; whether more can come; and the veil over what comes."""

    events: list[Event]
    live: bool
    veil: Veil | None


def news(scope: Mapping[str, Any], run_id: str, after: int) -> News:
    """What happened in a run since the event ``after``."""
    run = _visible(scope, run_id)
    events = events_after(run, after) if run.next_seq - 1 > after else []
    veil = veil_of(run)
    return News([veil.event(event) for event in events] if veil else events, live=run.is_live or bool(events), veil=veil)
