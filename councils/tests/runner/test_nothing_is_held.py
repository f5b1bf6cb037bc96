"""Whatever happens to runs, nothing stays taken: no slot at a provider, no flight of the cache, no money held by a budget."""

import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from councils.caching.fast import ALIAS
from councils.engine.errors import AnswerTimeout, BrokenStream, ProviderUnavailable, RateLimited
from councils.engine.types import CompletionRequest
from councils.models import AtLimit, Budget, BudgetAccount, CallStatus, CouncilConfiguration, CouncilRun, ModelCall, Provider, User
from councils.providers.scripted import Answer, Reply
from councils.runner.host import EngineHost
from councils.services.asking import ask_council, cancel_run
from councils.services.reconciling import differences
from councils.store.claims import claim_run
from councils.store.corrections import correct_cost
from councils.store.ownership import release
from councils.tests.durability.support import wait_until
from councils.tests.runner.scripts import Scripted, by_seat

pytestmark = pytest.mark.full

ACTS = 500
AT_ONCE = 6
FAULTS = (ProviderUnavailable, AnswerTimeout, BrokenStream, RateLimited)
HANGS = Reply(text="never", delay_s=60)


def moody(seed: int) -> Callable[[CompletionRequest, int], Answer]:
    """Answers that come soon, late, broken or never."""
    luck = random.Random(seed)

    def answer(request: CompletionRequest, call: int) -> Answer:
        mood = luck.random()
        if mood < 0.08:
            return HANGS
        if mood < 0.2:
            return luck.choice(FAULTS)()
        text = by_seat(request, call)
        return Reply(text=str(text), delay_s=luck.uniform(0, 0.02), pieces=luck.randint(1, 4))

    return answer


class Chaos:
    """Starts runs and disturbs them, by a dice that always falls the same way."""

    def __init__(self, seed: int, host: EngineHost, user: User, council: CouncilConfiguration) -> None:
        self.luck = random.Random(seed)
        self.host, self.user, self.council = host, user, council
        self.ways = (self.cancel, self.hand_back, self.hand_back, self.steal, self.steal, self.ask)
        self.done: Counter[str] = Counter()

    def act(self) -> None:
        live = list(CouncilRun.objects.live().order_by("pk").only("public_id"))
        way = self.luck.choice(self.ways) if len(live) >= 2 else self.ask
        if way == self.ask and len(live) >= AT_ONCE:
            way = self.cancel
        self.done[way.__name__] += 1
        way(self.luck.choice(live) if live else None)
        time.sleep(self.luck.uniform(0, 0.012))

    def ask(self, _: CouncilRun | None) -> None:
        # Few questions, so that some wait for each other's calls.
        ask_council(by=self.user, council=self.council, question=f"Which of {self.luck.randint(1, 4)} is best?")

    def cancel(self, run: CouncilRun | None) -> None:
        assert run is not None
        cancel_run(run=run, by=self.user)

    def hand_back(self, run: CouncilRun | None) -> None:
        """Its task is stopped, as when a server is told to stop."""
        assert run is not None
        task, loop = self.host._drivers.get(run.pk), self.host._loop
        if task is not None and loop is not None:
            loop.call_soon_threadsafe(task.cancel)

    def steal(self, run: CouncilRun | None) -> None:
        """Another worker takes its owner for dead, and dies too: what the first one has under way comes home late."""
        assert run is not None
        run = CouncilRun.objects.only("worker", "epoch", "heartbeat", "barren_deaths").get(pk=run.pk)
        claimed = claim_run(run.pk, worker="thief", dead=(run.epoch, run.heartbeat)) if run.worker and run.barren_deaths < 2 else None
        if claimed is not None:
            self.host.nudge(run.pk)
            release(claimed.claim, elapsed_ms=claimed.elapsed_ms)


@pytest.mark.parametrize("seed", [7])
def test_after_500_cancels_time_outs_and_kills_nothing_is_held(
    scripted: Callable[..., Scripted], engine: EngineHost, asker: User, settings: Settings, seed: int
) -> None:
    settings.ENABLE_CACHE = True
    caches[ALIAS].clear()
    deadlines = {"soft_deadline_s": 1, "stage_deadline_s": 1, "run_deadline_s": 2}
    council = scripted(moody(seed), spare=True, **deadlines).council
    Provider.objects.update(max_parallel_calls=3)
    for scope in ({}, {"user": asker}, {"council": council}):
        Budget.objects.create(limit_usd=Decimal(1_000), at_limit=AtLimit.PARTIAL, **scope)
    chaos = Chaos(seed, engine, asker, council)

    for _ in range(ACTS):
        chaos.act()
    for run in CouncilRun.objects.live():
        cancel_run(run=run, by=asker)

    wait_until(lambda: not engine._drivers, "every run is let go")
    wait_until(lambda: not ModelCall.objects.filter(status=CallStatus.SENDING.value).exists(), "every call is booked")
    assert all(chaos.done[way] > ACTS / 20 for way in ("ask", "cancel", "hand_back", "steal")), chaos.done
    assert {line.open_calls for line in engine._board._lines.values()} == {0}
    assert [turn for line in engine._board._lines.values() for _, turn in line.waiting if not turn.done()] == []
    assert engine._flights._open == {}
    assert differences() == []
    # What a call of a run that was taken away costs may stay unknown: budgets hold it until staff say so, and nothing else.
    for call in ModelCall.objects.of_unknown_cost():
        assert correct_cost(call, cost=Decimal(0))
    accounts = BudgetAccount.objects.all()
    assert {account.reserved for account in accounts} == {0}
    assert all(account.spent > 0 for account in accounts)
    assert not ModelCall.objects.filter(cost_usd=None).exists()
    ended_by = set(ModelCall.objects.values_list("status", flat=True))
    assert {"done", "cancelled", "broken", "refused"} <= ended_by
