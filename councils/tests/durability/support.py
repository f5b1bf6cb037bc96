"""Helpers of the tests that let runs run: asking, waiting for an outcome, and the provider's side of the story."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.fake.server import Entry, Running
from councils.live.drafts import read_drafts
from councils.models import CouncilConfiguration, CouncilRun, ModelCall, RunStep, User
from councils.services.asking import ask_council

QUICK: dict[str, float] = {"RUN_LEASE_TTL_S": 1.0, "RUN_HEARTBEAT_S": 0.2, "LLM_RETRY_BASE_DELAY": 0.02, "LLM_RETRY_MAX_DELAY": 0.05}
"""Settings of an engine that finds out soon and does not wait long."""

# Bounds that only a run that hangs reaches, however busy the machine is.
PATIENCE_S = 180.0


class CouncilMaker(Protocol):
    def __call__(self, *behaviours: str, **options: Any) -> CouncilConfiguration: ...


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks councils of the fake provider in the name of one user."""

    user: User
    council: CouncilMaker
    provider: Running

    def __call__(self, *behaviours: str, question: str = "Which is best?", **options: Any) -> CouncilRun:
        """Start a run on a new council whose seats behave so."""
        return self.put(self.council(*behaviours, **options), question)

    def put(self, council: CouncilConfiguration, question: str = "Which is best?") -> CouncilRun:
        return ask_council(by=self.user, council=council, question=question)[0]

    def log_of(self, run: CouncilRun) -> list[Entry]:
        """What the provider noted of this run's calls."""
        ids = set(ModelCall.objects.filter(run=run).values_list("public_id", flat=True))
        return [entry for entry in list(self.provider.office.entries) if entry.call_id in ids]


def wait_until(holds: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait for something to become true; fail with ``what`` when it does not."""
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s:g} s in vain: {what}")
        time.sleep(0.02)


def ended(run: CouncilRun) -> CouncilRun:
    """The run once it has ended."""
    try:
        wait_until(lambda: not CouncilRun.objects.live().filter(pk=run.pk).exists(), "the run ends")
    except AssertionError as error:
        raise AssertionError(f"{error}: {state_of(run)}") from None
    run.refresh_from_db()
    return run


def state_of(run: CouncilRun) -> str:
    """Where a run stands, for whoever looks at a test that failed."""
    run.refresh_from_db()
    steps = {row.key: (row.status, list(row.calls.values_list("status", "error_kind"))) for row in run.steps.all()}
    return f"{run.council_name}, {run.status}, epoch {run.epoch}, heartbeat {run.heartbeat}, {steps}"


def step(run: CouncilRun, key: str) -> RunStep:
    return RunStep.objects.get(run=run, key=key)


def event_types(run: CouncilRun) -> list[str]:
    return list(run.events.order_by("seq").values_list("type", flat=True))


def speaking(run: CouncilRun) -> int:
    """How many seats of this run have written something and are not done."""
    return sum(bool(draft["text"]) for draft in read_drafts(run.public_id).values())
