from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import OperationalError
from django.utils import timezone
from pytest_django.fixtures import Settings

from councils.caching import fast as fast_module
from councils.caching import rows
from councils.caching import shelf as shelf_module
from councils.caching.fast import ALIAS, FastTier
from councils.caching.rows import Entry
from councils.caching.shelf import Shelf
from councils.models import CachedResponse, CacheStatistic
from councils.services.caching import invalidate
from councils.tests.caching.conftest import in_a_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("alone")]

DATA = {"text": "Blue."}


def entry(key: str = "k" * 64, data: dict[str, Any] | None = None, **fields: Any) -> Entry:
    return Entry(kind="llm", key=key, data=data or DATA, ttl_s=60, **fields)


class Broken:
    """A cache in which everything fails."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: Any, **__: Any) -> Any:
            self.tries += 1
            raise ConnectionError("gone")

        return fail

    tries = 0


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    cache = Broken()
    monkeypatch.setattr(fast_module, "caches", {ALIAS: cache})
    return cache


async def database_away(function: Callable[..., Any], /, *args: Any) -> Any:
    raise OperationalError("gone")


async def test_what_was_kept_is_found(shelf: Shelf) -> None:
    await shelf.keep(entry())

    assert await shelf.find("llm", "k" * 64) == DATA
    assert await shelf.find("llm", "other") is None
    assert await shelf.find("mcp", "k" * 64) is None


async def test_the_database_refills_the_fast_tier(shelf: Shelf) -> None:
    await shelf.keep(entry())
    caches[ALIAS].clear()

    assert await shelf.find("llm", "k" * 64) == DATA
    assert shelf.fast.get("llm", "k" * 64) == DATA


async def test_an_expired_row_is_not_found(shelf: Shelf) -> None:
    await shelf.keep(entry())
    caches[ALIAS].clear()
    await in_a_thread(lambda: CachedResponse.objects.update(expires_at=timezone.now() - timedelta(seconds=1)))

    assert await shelf.find("llm", "k" * 64) is None


async def test_a_newer_answer_takes_the_place_of_the_older(shelf: Shelf) -> None:
    await shelf.keep(entry())
    await shelf.keep(entry(data={"text": "Grey."}))

    assert await shelf.find("llm", "k" * 64) == {"text": "Grey."}
    assert await in_a_thread(CachedResponse.objects.count) == 1


async def test_a_fast_tier_that_fails_leaves_the_database(broken: Broken, shelf: Shelf) -> None:
    await shelf.keep(entry())

    assert await shelf.find("llm", "k" * 64) == DATA


async def test_a_fast_tier_that_fails_is_left_alone_for_a_while(broken: Broken, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(20):
        await shelf.find("llm", "k" * 64)
    assert broken.tries == 1

    monkeypatch.setattr(fast_module, "REST_S", 0.0)
    shelf.fast = FastTier()
    await shelf.find("llm", "k" * 64)
    await shelf.find("llm", "k" * 64)
    assert broken.tries > 2


async def test_a_database_that_is_away_leaves_the_fast_tier() -> None:
    shelf = Shelf(database_away)
    await shelf.keep(entry())

    assert await shelf.find("llm", "k" * 64) == DATA


@pytest.mark.parametrize("away", [True, False])
async def test_only_what_the_database_took_counts_as_set(shelf: Shelf, away: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr("councils.caching.shelf.metrics.cache_used", lambda operation, outcome: counted.append((operation, outcome)))

    await (Shelf(database_away) if away else shelf).keep(entry())

    assert counted == [("set", "error" if away else "ok")]


async def test_with_both_away_nothing_is_cached_and_nothing_fails(broken: Broken) -> None:
    shelf = Shelf(database_away)
    await shelf.keep(entry())
    await shelf.flush()

    assert await shelf.find("llm", "k" * 64) is None


async def test_uses_are_counted_and_written_rarely(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    await shelf.keep(entry())
    for _ in range(3):
        await shelf.find("llm", "k" * 64)
    await shelf.find("llm", "other")
    assert not await in_a_thread(CacheStatistic.objects.exists)

    await shelf.flush()
    await shelf.flush()

    row = await in_a_thread(CacheStatistic.objects.get)
    assert (row.kind, row.requests, row.hits) == ("llm", 4, 3)
    assert (await in_a_thread(CachedResponse.objects.get)).hit_count == 3

    monkeypatch.setattr(shelf_module, "FLUSH_S", 0.0)
    await shelf.find("llm", "k" * 64)
    assert (await in_a_thread(CacheStatistic.objects.get)).requests == 5


async def test_the_least_recently_used_go_first(shelf: Shelf, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "ROOM_EVERY", 1)
    settings.CACHE_MAX_SIZE = 20
    for number in range(20):
        await shelf.keep(entry(f"{number:064}"))
    await shelf.find("llm", f"{0:064}")
    await shelf.flush()
    await shelf.keep(entry(f"{20:064}"))

    left = await in_a_thread(lambda: set(CachedResponse.objects.values_list("cache_key", flat=True)))
    assert len(left) == 19
    assert {f"{0:064}", f"{20:064}"} <= left
    assert f"{1:064}" not in left


def test_a_cache_that_is_not_full_evicts_nothing(settings: Settings) -> None:
    settings.CACHE_MAX_SIZE = 5
    for number in range(5):
        rows.keep(entry(f"{number:064}"))

    assert rows.make_room() == 0


def test_what_has_expired_is_deleted_and_nothing_else() -> None:
    rows.keep(entry("a" * 64))
    rows.keep(entry("b" * 64))
    CachedResponse.objects.filter(cache_key="a" * 64).update(expires_at=timezone.now())

    assert rows.delete_expired() == 1
    assert CachedResponse.objects.get().cache_key == "b" * 64


def test_each_kind_is_good_for_its_own_time(settings: Settings) -> None:
    settings.CACHE_LLM_TTL, settings.CACHE_MCP_TTL, settings.CACHE_INTENT_TTL = 1, 2, 3

    assert [rows.ttl_of(kind) for kind in ("llm", "mcp", "intent")] == [1, 2, 3]


def test_a_kind_is_cleared() -> None:
    tier = FastTier()
    tier.put("llm", "a", 1, ttl_s=60)
    tier.clear("llm")

    assert tier.get("llm", "a") is None


def test_only_one_claims_a_call_until_it_is_released() -> None:
    tier = FastTier()

    assert [tier.claim("llm", "a", ttl_s=60) for _ in range(2)] == [True, False]
    tier.release("llm", "a")
    assert tier.claim("llm", "a", ttl_s=60)


def test_when_nobody_can_tell_the_call_is_made(broken: Broken) -> None:
    assert FastTier().claim("llm", "a", ttl_s=60)


def test_a_tier_says_whether_it_works(broken: Broken) -> None:
    assert not FastTier().answers()


def test_a_working_tier_says_so() -> None:
    assert FastTier().answers()


async def test_garbage_in_the_fast_tier_does_not_hide_a_good_row_and_is_replaced(shelf: Shelf) -> None:
    await shelf.keep(entry())
    shelf.fast.put("llm", "k" * 64, "garbage", ttl_s=60)

    assert await shelf.find("llm", "k" * 64, is_good=lambda value: isinstance(value, dict)) == DATA
    assert shelf.fast.get("llm", "k" * 64) == DATA


@pytest.mark.parametrize("model_name", ["", "gpt"])
async def test_what_was_forgotten_while_the_fast_tier_was_away_does_not_come_back_with_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, model_name: str
) -> None:
    await shelf.keep(entry(model_name="gpt"))
    with monkeypatch.context() as away:
        away.setattr(fast_module, "caches", {ALIAS: Broken()})
        await in_a_thread(lambda: invalidate(kind="llm", model_name=model_name))
    shelf._generation_at = float("-inf")

    assert await shelf.find("llm", "k" * 64) is None
    await shelf.keep(entry(data={"text": "New."}))
    assert await shelf.find("llm", "k" * 64) == {"text": "New."}
    # Nor is that found any more which is forgotten while everything works again.
    await in_a_thread(lambda: invalidate(kind="llm", model_name="" if model_name else "gpt"))
    assert await in_a_thread(rows.generations) == {"llm": 2 if model_name else 1}


@pytest.mark.parametrize(("model_name", "forgets"), [("", "clear"), ("gpt", "drop_many")])
async def test_who_read_the_database_just_before_it_was_forgotten_does_not_bring_it_back(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, model_name: str, forgets: str
) -> None:
    await shelf.keep(entry(model_name="gpt"))
    forget = getattr(FastTier, forgets)

    def forget_and_be_late(*args: Any) -> Any:
        outcome = forget(*args)
        shelf.fast.put("llm", "k" * 64, DATA, ttl_s=60)
        return outcome

    monkeypatch.setattr(FastTier, forgets, forget_and_be_late)
    await in_a_thread(lambda: invalidate(kind="llm", model_name=model_name))
    shelf._generation_at = float("-inf")

    assert await shelf.find("llm", "k" * 64) is None
