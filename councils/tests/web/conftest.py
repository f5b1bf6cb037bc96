import time
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client

from councils.models import CouncilConfiguration, User
from councils.tests.factories import make_council, make_user


@pytest.fixture(autouse=True)
def clean_counters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Attempts that another test counted must not limit this one, and no window may end in the middle of a test."""
    end = int(time.time()) + 3600
    monkeypatch.setattr("django_ratelimit.core._get_window", lambda value, period: end)
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


@pytest.fixture
def page(client: Client, ada: User) -> Client:
    """A browser in which ada is signed in."""
    client.force_login(ada)
    return client


@pytest.fixture
def council(db: None) -> CouncilConfiguration:
    return make_council()
