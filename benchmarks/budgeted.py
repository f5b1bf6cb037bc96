"""The calls of ``budgets.py``. Needs Django set up."""

import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from statistics import median
from typing import Any, TypeVar

from django.core.management import call_command

from benchmarks.staging import fake_model, stage_council
from councils.engine.types import Stage
from councils.models import ApiKey, AtLimit, Budget, CallStatus, CouncilConfiguration, User
from councils.services.asking import ask_council
from councils.snapshot import Snapshot
from councils.store.budgets import set_aside, tie
from councils.store.calls import Booking, StepRef, begin_call, settle_call
from councils.store.claims import Claimed, claim_run

PLENTY = Decimal(1_000_000)
CLOCKS = {"cpu": time.process_time_ns, "wall": time.perf_counter_ns}
T = TypeVar("T")
Figures = dict[tuple[str, str], list[float]]


def measure(calls: int) -> None:
    """Print one line for each number of budgets and each kind of call."""
    call_command("migrate", verbosity=0)
    user = User.objects.create_user("asker")
    council = stage_council([fake_model("http://127.0.0.1:9", f"name=s{number}") for number in range(3)])
    key, _ = ApiKey.issue(user=user, name="benchmark")
    scopes: list[dict[str, Any]] = [{}, {"user": user}, {"council": council}, {"api_key": key}]
    print("budgets  call     begin CPU  settle CPU  begin clock  settle clock   (median, microseconds)")
    for count in (0, 1, 4):
        Budget.objects.all().delete()
        for scope in scopes[:count]:
            Budget.objects.create(limit_usd=PLENTY, at_limit=AtLimit.PARTIAL, **scope)
        for kind in ("within", "beyond") if count else ("within",):
            figures = _pay(_claimed(key, council, Decimal(1_000 if kind == "within" else 0)), calls)
            print(f"{count:7}  {kind:7}" + "".join(f"{median(figures[name]):12.0f}" for name in figures))


def _claimed(key: ApiKey, council: CouncilConfiguration, aside: Decimal) -> Claimed:
    """A run in our hands, for which each of its budgets has set aside so much."""
    run, _ = ask_council(by=key, council=council, question="Which is best?")
    accounts = dict.fromkeys(run.holds.values_list("account", flat=True), aside)
    run.holds.all().delete()
    set_aside(accounts, {})
    tie(run, accounts)
    claimed = claim_run(run.pk, worker="benchmark")
    assert claimed is not None
    return claimed


def _pay(claimed: Claimed, calls: int) -> Figures:
    target = next(iter(Snapshot.from_json(claimed.config_snapshot).models.values()))
    ref = StepRef(key="opinion:agent_1", stage=Stage.OPINIONS, agent_id="agent_1")
    booking = Booking(status=CallStatus.BROKEN, prompt_tokens=120, completion_tokens=100, cost_usd=Decimal("0.0004"), error_kind="timeout")
    figures: Figures = {(clock, part): [] for clock in CLOCKS for part in ("begin", "settle")}
    for attempt in range(1, calls + 1):
        begun = _timed(figures, "begin", partial(begin_call, claimed.claim, ref, target, attempt=attempt, at_most_usd=Decimal("0.01")))
        _timed(figures, "settle", partial(settle_call, claimed.claim, ref, begun, booking))
    return figures


def _timed(figures: Figures, part: str, work: Callable[[], T]) -> T:
    before = {name: clock() for name, clock in CLOCKS.items()}
    outcome = work()
    for name, clock in CLOCKS.items():
        figures[name, part].append((clock() - before[name]) / 1000)
    return outcome
