"""The search over all of the admin, where cached values are written as JSON."""

import logging
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client

from councils.caching import redis_gate
from councils.caching.redis_gate import PlainSerializer


class AsInRedis(LocMemCache):
    """Keeps what Redis would: bytes of the serializer."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        kept = super().get(key, None, version)
        return default if kept is None else PlainSerializer({}).loads(kept)

    def set(self, key: str, value: Any, timeout: Any = None, version: int | None = None) -> None:
        super().set(key, PlainSerializer({}).dumps(value), timeout, version)


@pytest.mark.django_db
def test_what_a_cache_cannot_hold_is_found_without_it_each_time(
    admin: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    redis_gate._note_unfit.cache_clear()
    monkeypatch.setattr("unfold.sites.cache", AsInRedis("search", {}))

    with caplog.at_level(logging.WARNING, "councils.caching.redis_gate"):
        answers = [admin.get("/admin/search/?s=council") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert all(b"/admin/councils/councilconfiguration/" in answer.content for answer in answers)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("value", [object(), [object()], {1: {2}}, b"bytes", "deep"])
def test_what_is_no_json_reads_as_nothing(value: Any) -> None:
    if value == "deep":
        value = []
        value.append(value)
    serializer = PlainSerializer({})

    assert serializer.loads(serializer.dumps(value)) is None
