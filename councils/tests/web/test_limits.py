from unittest.mock import Mock

import pytest
from django.test import RequestFactory

from councils.web.limits import Limit

FEW = Limit(group="test", rate="2/h", message="Wait.")


def test_a_limit_is_over_with_the_try_after_the_last_allowed(db: None) -> None:
    request = RequestFactory().post("/")

    assert [FEW.is_over(request, "ada") for _ in range(3)] == [False, False, True]


def test_limits_of_two_people_are_apart(db: None) -> None:
    request = RequestFactory().post("/")
    for _ in range(3):
        FEW.is_over(request, "ada")

    assert FEW.is_over(request, "eve") is False


def test_a_cache_that_is_away_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Mock(add=Mock(return_value=False), incr=Mock(return_value=None))
    monkeypatch.setattr("django_ratelimit.core.caches", {"default": away})

    assert [FEW.is_over(RequestFactory().post("/"), "ada") for _ in range(5)] == [False] * 5
