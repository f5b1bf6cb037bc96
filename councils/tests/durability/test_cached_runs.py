"""The cache under real runs: many at once, forgotten and spoilt meanwhile."""

import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from councils.caching.fast import ALIAS, FastTier
from councils.engine.types import RunStatus
from councils.models import CachedResponse, CouncilRun, ModelCall
from councils.runner.host import EngineHost
from councils.services.caching import invalidate
from councils.tests.durability.support import Asker, ended, speaking, wait_until

SEATS = ("tokens=10", "tokens=10", "tokens=10")
SLOW = ("tokens=20,rate=20", "tokens=20,rate=20", "tokens=20,rate=20")
CALLS = 3 + 3 + 1


@pytest.fixture(autouse=True)
def cache_on(settings: Settings) -> None:
    settings.ENABLE_CACHE = True
    caches[ALIAS].clear()


def sent(run: CouncilRun) -> int:
    return ModelCall.objects.filter(run=run, cached=False).count()


def test_fifty_who_ask_the_same_at_once_pay_once(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    council = ask.council(*SEATS)
    runs = [ask.put(council) for _ in range(50)]
    host = EngineHost()
    monkeypatch.setattr("councils.runner.host._host", host)
    host.start()
    try:
        # Fifty runs on a busy machine take their time; only a run that hangs needs so long.
        wait_until(lambda: not CouncilRun.objects.live().exists(), "all runs end", patience_s=300)
    finally:
        host.stop()

    runs = list(CouncilRun.objects.all())
    assert len({run.answer for run in runs}) == 1
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED.value}
    assert sum(len(ask.log_of(run)) for run in runs) == CALLS
    assert sum(run.cost_usd is not None and run.cost_usd > 0 for run in runs) <= CALLS


@pytest.mark.usefixtures("engine")
def test_forgetting_while_a_run_is_under_way_does_it_no_harm(ask: Asker) -> None:
    council = ask.council(*SLOW)
    run = ask.put(council)
    wait_until(lambda: speaking(run) > 0, "somebody speaks")
    invalidate(kind="llm")
    wait_until(lambda: run.steps.filter(status="done").exists(), "an answer is there")
    invalidate(kind="llm")

    assert ended(run).status == RunStatus.SUCCEEDED
    assert sent(run) == CALLS
    assert ended(ask.put(council)).answer == run.answer


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("garbage", [{"text": 5}, "no answer", [], {"text": "A lie.", "model": None}], ids=str)
def test_garbage_in_both_tiers_is_asked_anew(ask: Asker, garbage: object) -> None:
    council = ask.council(*SEATS)
    first = ended(ask.put(council))
    for key in CachedResponse.objects.values_list("cache_key", flat=True):
        FastTier().put("llm", key, garbage, ttl_s=60)
    CachedResponse.objects.update(response_data=garbage)

    second = ended(ask.put(council))

    assert second.status == RunStatus.SUCCEEDED
    assert sent(second) == CALLS
    assert "A lie." not in second.answer + first.answer
    assert sent(ended(ask.put(council))) == 0, "what was asked anew has taken the garbage's place"
