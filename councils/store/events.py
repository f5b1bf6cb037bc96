"""The history of a run: appended with the change it tells of, read back in order."""

from collections.abc import Iterable, Mapping
from typing import Any

from councils.engine.errors import without_detail
from councils.engine.events import EventType
from councils.models import CouncilRun, RunEvent, RunStep

Event = dict[str, Any]
"""One event as viewers get it: ``seq``, ``type``, ``at`` (ISO 8601), and the fields of its type."""


_MOVING = (
    "public_id",
    "conversation_id",
    "owner_id",
    "status",
    "epoch",
    "barren_deaths",
    "next_seq",
    "prompt_tokens",
    "completion_tokens",
    "known_cost_usd",
    "unknown_costs",
    "open_usd",
)


def append(run: CouncilRun, kind: EventType, payload: Mapping[str, Any]) -> Event:
    """Add one event to a run whose row this transaction holds. The caller saves ``next_seq`` with ``keep``."""
    event = RunEvent.objects.create(run=run, seq=run.next_seq, type=kind.value, payload=dict(payload))
    run.next_seq += 1
    return {"seq": event.seq, "type": kind.value, "at": event.created_at.isoformat(), **payload}


def keep(run: CouncilRun, *names: str) -> None:
    run.save(update_fields=["next_seq", *names])


def hold(run_pk: int) -> CouncilRun:
    """The run's row, locked until the transaction ends, with what moving it needs. The snapshot stays behind: it is large."""
    return CouncilRun.objects.select_for_update().only(*_MOVING).get(pk=run_pk)


def step_facts(step: RunStep) -> dict[str, Any]:
    """What an event says of a step. The text itself stays in the step and is added when the event is read."""
    facts: dict[str, Any] = {
        "key": step.key,
        "stage": step.stage,
        "agent_id": step.agent_id,
        "status": step.status,
        "model": step.model_name,
        "substituted": step.substituted,
        "latency_ms": step.latency_ms,
    }
    if step.error_kind:
        facts |= {"error_kind": step.error_kind, "message": without_detail(step.error_kind, step.error_message)}
    return facts


def step_texts(step: RunStep) -> dict[str, Any]:
    return {"text": step.text, "payload": step.payload}


_WITH_TEXT = frozenset(
    {
        EventType.OPINION_COMPLETED.value,
        EventType.SYNTHESIS_COMPLETED.value,
        EventType.BALLOT_COUNTED.value,
        EventType.BALLOT_REJECTED.value,
    }
)


def events_after(run: CouncilRun, after: int, *, limit: int = 500) -> list[Event]:
    """The events with ``seq > after`` in order, at most ``limit``, with the texts of the steps they tell of."""
    rows = list(RunEvent.objects.filter(run=run, seq__gt=after).order_by("seq")[:limit])
    texts = _texts_of(run, [str(row.payload.get("key")) for row in rows if row.type in _WITH_TEXT])
    return [_read(run, row, texts) for row in rows]


def _texts_of(run: CouncilRun, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    wanted = list(keys)
    if not wanted:
        return {}
    return {step.key: step_texts(step) for step in RunStep.objects.filter(run=run, key__in=wanted)}


def _read(run: CouncilRun, row: RunEvent, texts: Mapping[str, dict[str, Any]]) -> Event:
    event: Event = {"seq": row.seq, "type": row.type, "at": row.created_at.isoformat(), **row.payload}
    if row.type in _WITH_TEXT:
        event |= texts.get(str(row.payload.get("key")), {})
    if row.type == EventType.RUN_FINISHED.value:
        event["answer"] = run.answer
    return event
