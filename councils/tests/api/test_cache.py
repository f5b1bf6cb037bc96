"""The cache in the API."""

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import caches
from django.test import Client
from pytest_django.fixtures import Settings

from councils.caching import rows
from councils.caching.fast import ALIAS, FastTier
from councils.caching.rows import Entry
from councils.models import AuditEntry, CachedResponse, User
from councils.tests.api.conftest import ClientOf
from councils.tests.api.rows import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_api(client_of: ClientOf, staff: User) -> Client:
    return client_of(staff)


@pytest.fixture(autouse=True)
def empty(settings: Settings) -> None:
    settings.ENABLE_CACHE = True
    caches[ALIAS].clear()


def keep(key: str, *, kind: str = "llm", model: str = "small:1b") -> None:
    entry = Entry(kind=kind, key=key * 64, data={"text": "Blue."}, ttl_s=60, model_name=model)
    rows.keep(entry)
    FastTier().put(kind, entry.key, {"text": "Blue."}, ttl_s=60)


def test_a_cache_that_works_says_so(staff_api: Client) -> None:
    assert staff_api.get("/api/cache/health").json() == {"status": "ok", "fast": True, "database": True}


def test_a_cache_without_its_fast_tier_is_degraded(staff_api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("councils.caching.fast.caches", {})

    assert staff_api.get("/api/cache/health").json() == {"status": "degraded", "fast": False, "database": True}


def test_a_cache_that_is_switched_off_says_so(staff_api: Client, settings: Settings) -> None:
    settings.ENABLE_CACHE = False

    assert staff_api.get("/api/cache/health").json()["status"] == "disabled"


def test_statistics_of_an_empty_cache_know_no_rate(staff_api: Client) -> None:
    stats = staff_api.get("/api/cache/stats").json()

    assert (stats["size"], stats["requests"], stats["hit_rate"]) == (0, 0, None)
    assert set(stats["kinds"]) == {"llm", "mcp", "intent"}


def test_statistics_add_up(staff_api: Client) -> None:
    keep("a")
    keep("b", kind="mcp")
    rows.note_uses({"a" * 64: 3}, {"llm": (4, 3), "mcp": (1, 0)})

    stats = staff_api.get("/api/cache/stats").json()

    assert (stats["size"], stats["requests"], stats["hit_rate"]) == (2, 5, 0.6)
    assert stats["kinds"]["llm"] == {"entries": 1, "size_bytes": 16, "requests": 4, "hits": 3, "hit_rate": 0.75, "ttl_s": 3600.0}
    assert stats["size_bytes"] == 32


def test_a_kind_is_forgotten_in_both_tiers_and_others_are_kept(staff_api: Client) -> None:
    keep("a")
    keep("b", kind="mcp")

    assert staff_api.delete("/api/cache/invalidate/llm").json() == {"deleted_count": 1}
    assert FastTier().get("llm", "a" * 64) is None
    assert CachedResponse.objects.get().kind == "mcp"


def test_staff_without_the_right_to_clear_look_and_forget_nothing(client_of: ClientOf) -> None:
    keep("a")
    clerk = make_user("clerk", is_staff=True)
    api = client_of(clerk)

    refused = api.delete("/api/cache/invalidate/llm")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert CachedResponse.objects.exists()
    assert [api.get(f"/api/cache/{name}").status_code for name in ("health", "stats")] == [200, 200]

    clerk.user_permissions.add(Permission.objects.get(codename="delete_cachedresponse"))
    assert api.delete("/api/cache/invalidate/llm").json() == {"deleted_count": 1}


def test_one_model_is_forgotten(staff_api: Client) -> None:
    keep("a")
    keep("b", model="other")

    assert staff_api.delete("/api/cache/invalidate/llm?model=small:1b").json() == {"deleted_count": 1}
    assert (FastTier().get("llm", "a" * 64), FastTier().get("llm", "b" * 64)) == (None, {"text": "Blue."})


@pytest.mark.parametrize("address", ["/api/cache/invalidate/all", "/api/cache/invalidate/", "/api/cache/invalidate/llm/x"])
def test_a_kind_that_does_not_exist_is_not_found(staff_api: Client, address: str) -> None:
    keep("a")

    assert staff_api.delete(address).status_code == 404
    assert CachedResponse.objects.exists()


def test_an_unknown_parameter_forgets_nothing(staff_api: Client) -> None:
    keep("a")

    assert staff_api.delete("/api/cache/invalidate/llm?modell=small").status_code == 400
    assert CachedResponse.objects.exists()


def test_who_clears_is_told_in_the_trail(staff_api: Client) -> None:
    keep("a")

    staff_api.delete("/api/cache/invalidate/llm?model=small:1b")

    entry = AuditEntry.objects.get(kind="councils.cachedresponse")
    assert (entry.door, entry.object_name) == ("api", "Answers of models of small:1b")
    assert entry.actor is not None
