from collections.abc import Callable, Iterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.core.cache import caches
from pytest_django.fixtures import Settings

from councils.caching.fast import ALIAS, FastTier
from councils.caching.flights import Flights
from councils.caching.shelf import Shelf


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    caches[ALIAS].clear()
    yield
    caches[ALIAS].clear()


@pytest.fixture
def alone(settings: Settings) -> None:
    """One process, no Redis."""
    settings.REDIS_CACHE_URL = ""


async def in_a_thread(function: Callable[..., Any], /, *args: Any) -> Any:
    return await database_sync_to_async(function)(*args)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(in_a_thread, FastTier())


@pytest.fixture
def flights(shelf: Shelf) -> Flights:
    return Flights(shelf)
