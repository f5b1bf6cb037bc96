"""People, a council and clients that speak for people."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from django.test import Client

from councils.models import ApiKey, CouncilConfiguration, User
from councils.tests.api.rows import make_council, make_user

ClientOf = Callable[[User], Client]


class Answer(Protocol):
    """What the test client returns, as far as these tests read it."""

    status_code: int
    headers: Any
    content: bytes

    def json(self) -> Any: ...


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def staff(db: None) -> User:
    return make_user("staff", is_staff=True, is_superuser=True)


@pytest.fixture
def council(db: None) -> CouncilConfiguration:
    return make_council(is_default=True)


@pytest.fixture
def client_of() -> ClientOf:
    """A client that shows an API key of this user with every request."""

    def make(user: User) -> Client:
        _, key = ApiKey.issue(user=user, name="tests")
        return Client(headers={"authorization": f"Bearer {key}"})

    return make


@pytest.fixture
def api(client_of: ClientOf, ada: User) -> Client:
    """Ada's program."""
    return client_of(ada)
