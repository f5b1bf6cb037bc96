"""Figures and facts of a run that no single row holds. Reads only rows that were fetched ``with_details()``: it never queries."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from councils.engine.steps import LAST_ROUND, SYNTHESIS, tally_key
from councils.engine.types import Stage
from councils.models import CouncilRun, ModelCall, RunStep
from councils.snapshot import Snapshot, UnreadableSnapshot

STAGES = {"stage1_opinions": Stage.OPINIONS, "stage2_review": Stage.REVIEW, "stage3_synthesis": Stage.SYNTHESIS}


class SeatFacts(TypedDict):
    """One seat as it was when the run started."""

    agent_id: str
    name: str
    model: str
    provider: str
    persona: str
    weight: float
    answers: bool
    reviews: bool


def is_readable(run: CouncilRun) -> bool:
    """Whether this version of the software understands the configuration that the run was recorded with."""
    try:
        Snapshot.from_json(run.config_snapshot)
    except UnreadableSnapshot:
        return False
    return True


def seats(run: CouncilRun) -> list[SeatFacts]:
    """The seats; none where another version recorded them."""
    if not is_readable(run):
        return []
    targets = _targets(run)
    return [
        {
            "agent_id": seat["agent_id"],
            "name": seat["name"],
            "model": targets.get(seat["model"], {}).get("name", ""),
            "provider": targets.get(seat["model"], {}).get("provider_name", ""),
            "persona": seat["persona"],
            "weight": seat["weight"],
            "answers": seat["answers"],
            "reviews": seat["reviews"],
        }
        for seat in run.spec_seats()
    ]


def rules(run: CouncilRun) -> dict[str, Any]:
    """How the council was to deliberate; nothing of it is known where another version recorded it."""
    spec = run.config_snapshot.get("spec", {}) if is_readable(run) else {}
    names = ("voting_system", "chairman_mode", "enable_peer_review", "anonymous", "quorum")
    chairmen = [_targets(run).get(key, {}).get("name", "") for key in spec.get("chairman", [])]
    return {name: spec.get(name) for name in names} | {"chairmen": chairmen}


def _targets(run: CouncilRun) -> Mapping[str, Mapping[str, Any]]:
    targets: Mapping[str, Mapping[str, Any]] = run.config_snapshot.get("models", {})
    return targets


def opinions(run: CouncilRun) -> list[RunStep]:
    return [step for step in run.steps.all() if step.stage == Stage.OPINIONS]


def reviews(run: CouncilRun) -> list[RunStep]:
    return [step for step in run.steps.all() if step.stage == Stage.REVIEW and step.agent_id]


def synthesis(run: CouncilRun) -> RunStep | None:
    return _step(run, SYNTHESIS)


def tally(run: CouncilRun) -> Mapping[str, Any] | None:
    """The count that stands: of the extra round if it came to a vote, else of the first."""
    step = _step(run, tally_key(LAST_ROUND)) or _step(run, tally_key())
    return None if step is None else step.payload


def first_tally(run: CouncilRun) -> Mapping[str, Any] | None:
    """The count before an extra round; ``None`` where no extra round came to a vote."""
    first = _step(run, tally_key())
    return first.payload if first is not None and _step(run, tally_key(LAST_ROUND)) else None


def _step(run: CouncilRun, key: str) -> RunStep | None:
    return next((step for step in run.steps.all() if step.key == key), None)


def token_usage(run: CouncilRun) -> dict[str, Any]:
    """Tokens by stage and model. Sums are of what is known; ``calls_without_usage`` says how many calls are not in them."""
    by_stage = {name: {"stage": stage.value, **_by_model(run, stage, _tokens)} for name, stage in STAGES.items()}
    return by_stage | _tokens(_calls(run))


def latency(run: CouncilRun) -> dict[str, Any]:
    """Milliseconds by stage and model. ``total_latency_ms`` adds up calls, ``duration_ms`` is the time that passed."""
    by_stage = {
        name: {"stage": stage.value, "duration_ms": _duration(_steps(run, stage)), **_by_model(run, stage, _latencies)}
        for name, stage in STAGES.items()
    }
    return by_stage | _latencies(_calls(run)) | {"duration_ms": _milliseconds(run.started_at, run.finished_at)}


Figures = dict[str, int | None]


def _by_model(run: CouncilRun, stage: Stage, figures: Callable[[list[ModelCall]], Figures]) -> dict[str, Any]:
    calls = _calls(run, stage)
    models = dict.fromkeys(call.model_name for call in calls)
    each = {model: figures([call for call in calls if call.model_name == model]) for model in models}
    return {**figures(calls), "by_model": each}


def _tokens(calls: list[ModelCall]) -> Figures:
    prompt = sum(call.prompt_tokens or 0 for call in calls)
    completion = sum(call.completion_tokens or 0 for call in calls)
    return {
        "calls": len(calls),
        "calls_without_usage": sum(call.total_tokens is None for call in calls),
        "total_prompt_tokens": prompt,
        "total_completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _latencies(calls: list[ModelCall]) -> Figures:
    known = [call.latency_ms for call in calls if call.latency_ms is not None]
    return {
        "calls": len(calls),
        "total_latency_ms": sum(known),
        "average_latency_ms": round(sum(known) / len(known)) if known else None,
        "max_latency_ms": max(known, default=None),
    }


def _steps(run: CouncilRun, stage: Stage) -> list[RunStep]:
    return [step for step in run.steps.all() if step.stage == stage]


def _calls(run: CouncilRun, stage: Stage | None = None) -> list[ModelCall]:
    return [call for step in run.steps.all() if stage is None or step.stage == stage for call in step.calls.all()]


def _duration(steps: Iterable[RunStep]) -> int | None:
    """From the first beginning to the last end; ``None`` while something is open or nothing was begun. Kept steps took no time here."""
    spans = [(step.started_at, step.finished_at) for step in steps if not step.carried]
    ends = [end for _, end in spans if end is not None]
    if not spans or len(ends) < len(spans):
        return None
    return _milliseconds(min(start for start, _ in spans), max(ends))


def _milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else round((end - start).total_seconds() * 1000)
