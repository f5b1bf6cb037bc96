"""Two people who change configuration at once: the later one waits, and then finds what is free."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction

from councils.models import CouncilConfiguration, PromptTemplate
from councils.services.configuration import apply_configuration
from councils.services.curating import clone_council, make_default
from councils.tests.factories import make_council
from councils.tests.store.test_lock_order import PATIENCE_S, until_somebody_waits

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("postgres" not in str(connections.settings["default"]["ENGINE"]), reason="SQLite has one writer"),
]


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """The second one begins before the first one is committed. Raises what it raised."""
    faults: list[Exception] = []

    def later() -> None:
        try:
            second()
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=later)
    with transaction.atomic():
        first()
        thread.start()
        until_somebody_waits()
    thread.join(PATIENCE_S)
    if faults:
        raise faults[0]


def test_two_copies_at_once_get_names_of_their_own() -> None:
    council = make_council(slug="pricing")
    other = CouncilConfiguration.objects.get(pk=council.pk)

    both(lambda: clone_council(council=council), lambda: clone_council(council=other))

    assert set(CouncilConfiguration.objects.values_list("slug", flat=True)) == {"pricing", "pricing-copy", "pricing-copy-2"}


def test_two_versions_at_once_get_numbers_of_their_own() -> None:
    def add(text: str) -> None:
        PromptTemplate(stage="opinions", name="brief", text=text).save()

    both(lambda: add("Be brief. {question}"), lambda: add("Be very brief. {question}"))

    assert set(PromptTemplate.objects.values_list("version", flat=True)) == {1, 2}


def test_of_two_defaults_at_once_the_later_one_stays() -> None:
    make_council(slug="old", is_default=True)
    first = make_council(slug="first")
    make_council(slug="second")

    both(lambda: make_default(council=first), lambda: apply_configuration({"councils": [{"slug": "second", "is_default": True}]}))

    assert CouncilConfiguration.objects.get(is_default=True).slug == "second"
