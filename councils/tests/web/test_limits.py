from unittest.mock import Mock

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from councils.web.limits import Limit, client_address

FEW = Limit(group="test", rate="2/h", message="Wait.")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.7", "127.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 198.51.100.1, 203.0.113.7", "198.51.100.1"),
        (2, "203.0.113.7", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_a_forwarded_address_counts_only_as_far_as_our_proxies_wrote_it(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies

    assert client_address(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})) == address


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
