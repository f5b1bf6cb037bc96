"""Holds what a database says of runs against what the provider says it was asked: the proof that nothing was lost or paid twice."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from councils.engine.events import EventType
from councils.models import CallStatus, CouncilRun, EntryKind, LedgerEntry, ModelCall, RunEvent, RunStep

RESULTS = frozenset(
    {
        EventType.OPINION_COMPLETED,
        EventType.OPINION_FAILED,
        EventType.BALLOT_COUNTED,
        EventType.BALLOT_REJECTED,
        EventType.BALLOT_FAILED,
        EventType.TALLY_COMPUTED,
        EventType.SYNTHESIS_COMPLETED,
        EventType.SYNTHESIS_FAILED,
    }
)
"""The events after which nothing may be asked for their step any more."""


@dataclass(slots=True)
class Audit:
    """``problems`` is empty where every promise was kept; ``counts`` says how much was looked at."""

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def require(self, kept: bool, problem: str) -> None:
        if not kept:
            self.problems.append(problem)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The provider's own log, a line for each request that it has answered or given up."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def audit(runs: Iterable[CouncilRun], log: Iterable[dict[str, Any]]) -> Audit:
    """Check these runs, all of which should have ended, and every line of the log."""
    found = Audit()
    known: dict[str, ModelCall] = {}
    for run in runs:
        calls = list(ModelCall.objects.filter(run=run).select_related("step").order_by("pk"))
        known |= {call.public_id: call for call in calls}
        found.counts["runs"] += 1
        found.counts[f"runs {run.status}"] += 1
        found.require(not run.is_live, f"{run} has not ended: {run.status}, epoch {run.epoch}")
        _check_events(found, run)
        _check_calls(found, run, calls)
        _check_money(found, run, calls)
    _check_log(found, known, list(log))
    return found


def _check_events(found: Audit, run: CouncilRun) -> None:
    events = list(RunEvent.objects.filter(run=run).order_by("seq"))
    found.counts["events"] += len(events)
    found.require([e.seq for e in events] == list(range(1, run.next_seq)), f"{run} has a gap or a double in its events")
    kinds = Counter(event.type for event in events)
    found.counts["take-overs"] += kinds[EventType.RUN_RESUMED]
    found.require(kinds[EventType.RUN_STARTED] <= 1, f"{run} started twice")
    found.require(bool(events) and events[-1].type == EventType.RUN_FINISHED, f"{run} does not end with its end")
    found.require(kinds[EventType.RUN_FINISHED] == 1, f"{run} finished {kinds[EventType.RUN_FINISHED]} times")
    over: set[str] = set()
    for event in events:
        key = str(event.payload.get("key", ""))
        found.require(event.type != EventType.CALL_STARTED or key not in over, f"{run} began a call for {key} after its result")
        found.require(event.type not in RESULTS or key not in over, f"{run} has two results for {key}")
        if event.type in RESULTS:
            over.add(key)


def _check_calls(found: Audit, run: CouncilRun, calls: list[ModelCall]) -> None:
    by_step: dict[str, list[ModelCall]] = {}
    for call in calls:
        found.counts[f"calls {call.status}"] += 1
        by_step.setdefault(call.step.key, []).append(call)
        found.require(call.status != CallStatus.SENDING, f"{run} left call {call.public_id} open")
    for key, attempts in by_step.items():
        found.require([c.attempt for c in attempts] == list(range(1, len(attempts) + 1)), f"{run} miscounts the attempts of {key}")
        done = sum(call.status == CallStatus.DONE for call in attempts)
        # A review may need one more call, for a ballot that could not be read.
        found.require(done <= (2 if key.startswith("review:") else 1), f"{run} paid {done} finished calls for {key}")
    kept = set(RunStep.objects.filter(run=run, carried=True).values_list("key", flat=True))
    found.require(not kept & by_step.keys(), f"{run} paid again for what it had kept: {sorted(kept & by_step.keys())}")
    open_steps = RunStep.objects.filter(run=run, status="running").count()
    found.require(not open_steps, f"{run} ended with {open_steps} running steps")


def _check_money(found: Audit, run: CouncilRun, calls: list[ModelCall]) -> None:
    entries = list(LedgerEntry.objects.filter(call__run=run).select_related("call"))
    charged = Counter(entry.call_id for entry in entries if entry.kind == EntryKind.CHARGED)
    found.counts["ledger entries"] += len(entries)
    found.require(charged == Counter(call.pk for call in calls), f"{run}: the ledger does not hold each call exactly once")
    booked = sum((entry.amount_usd for entry in entries if entry.amount_usd is not None), Decimal(0))
    spent = sum((call.cost_usd for call in calls if call.cost_usd is not None), Decimal(0))
    found.require(booked == spent == run.known_cost_usd, f"{run} cost {spent} by calls, {booked} by ledger, {run.known_cost_usd} by itself")
    unknown = sum(call.cost_usd is None for call in calls)
    found.require(unknown == run.unknown_costs, f"{run} has {unknown} calls of unknown cost and says {run.unknown_costs}")
    tokens = sum(call.prompt_tokens or 0 for call in calls), sum(call.completion_tokens or 0 for call in calls)
    found.require(tokens == (run.prompt_tokens, run.completion_tokens), f"{run} miscounts its tokens")


def _check_log(found: Audit, known: dict[str, ModelCall], log: list[dict[str, Any]]) -> None:
    found.counts["log lines"] += len(log)
    asked = Counter(str(line["call_id"]) for line in log)
    answered = {str(line["call_id"]) for line in log if line["outcome"] == "completed"}
    for call_id, times in asked.items():
        found.require(call_id in known, f"the provider was asked {call_id!r}, which no ledger knows")
        found.require(times == 1, f"the provider was asked {call_id} {times} times")
    for problem in _unanswered(known, answered):
        found.problems.append(problem)
    # Answered in full, and lost on the way: paid, and asked again. Only a death explains it.
    lost = [call for call in known.values() if call.public_id in answered and call.status == CallStatus.ORPHANED]
    found.counts["paid and lost"] = len(lost)


def _unanswered(known: dict[str, ModelCall], answered: set[str]) -> Iterator[str]:
    for call_id, call in known.items():
        if call.status == CallStatus.DONE and not call.cached and call_id not in answered:
            yield f"{call.run} has a finished call {call_id} that the provider did not answer"
