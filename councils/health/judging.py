"""What the answers of addresses say about them and about models. Pure: values in, findings out."""

from collections.abc import Sequence
from dataclasses import dataclass

from councils.models import HealthState

SLOW_MS = 3000
"""A list of models that takes longer than this comes from a server in trouble."""

NOT_LISTED = "It is not on the provider's list any more."
NEVER_LISTED = "The provider does not list it: it may be another name of a listed model."
NOT_FREE = "The provider has no list of models, and a call would cost."
PART_AWAY = "Not every address of the provider answered."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How one address answered. ``models`` is ``None`` where it has no list; ``problem`` is empty where it answered well."""

    base_url: str
    models: frozenset[str] | None = None
    latency_ms: int | None = None
    problem: str = ""
    key_refused: bool = False

    @property
    def works(self) -> bool:
        return not self.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The state of an address or a model, as one check found it."""

    state: HealthState
    latency_ms: int | None = None
    problem: str = ""


def judge_address(answer: Answered) -> Finding:
    """What one answer says about the address that gave it."""
    if not answer.works:
        return Finding(state=HealthState.FAILING, problem=answer.problem)
    return Finding(state=_speed(answer.latency_ms), latency_ms=answer.latency_ms)


def judge_model(name: str, answers: Sequence[Answered], *, called: Answered | None, was_listed: bool) -> Finding:
    """What the answers of all addresses of its provider say about one model.

    ``called`` is how a small call to it went, where one was made. ``was_listed``: an earlier check has seen it on the list.
    """
    if called is not None:
        return judge_address(called)
    working = [answer for answer in answers if answer.works]
    if not working:
        return Finding(state=HealthState.FAILING, problem=answers[0].problem if answers else "")
    serving = [answer for answer in working if answer.models is not None and is_listed(name, answer.models)]
    if serving:
        # A call goes to any address that serves it, so the quickest one says how it is.
        latency = min(answer.latency_ms or 0 for answer in serving)
        return Finding(state=_speed(latency), latency_ms=latency)
    return _unserved(answers, working, was_listed=was_listed)


def _unserved(answers: Sequence[Answered], working: Sequence[Answered], *, was_listed: bool) -> Finding:
    """What it says that nobody who answered names the model. It is missing only where everybody has shown a list."""
    if any(answer.models is None for answer in working):
        return Finding(state=HealthState.UNKNOWN, problem=NOT_FREE)
    if len(working) < len(answers):
        return Finding(state=HealthState.UNKNOWN, problem=PART_AWAY)
    if was_listed:
        return Finding(state=HealthState.MISSING, problem=NOT_LISTED)
    return Finding(state=HealthState.UNKNOWN, problem=NEVER_LISTED)


def is_listed(name: str, listed: frozenset[str]) -> bool:
    """Whether the list names this model. Ollama's tag ``latest`` may be left out."""
    return bool({name, f"{name}:latest", name.removesuffix(":latest")} & listed)


def _speed(latency_ms: int | None) -> HealthState:
    return HealthState.SLOW if (latency_ms or 0) > SLOW_MS else HealthState.HEALTHY
