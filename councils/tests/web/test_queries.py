"""Pages ask the database a constant number of questions, however much there is to show."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, User
from councils.tests.factories import finished_plan, make_council, make_run


@pytest.fixture
def queries(page: Client) -> Callable[[str], int]:
    def count(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert page.get(path).status_code == 200
        return len(captured)

    return count


def test_the_run_page_asks_the_same_for_three_seats_and_for_nine(queries: Callable[[str], int], ada: User) -> None:
    small, large = (make_run(owner=ada, council=make_council(seats=n), plan=finished_plan(n)) for n in (3, 9))
    for _ in range(4):
        make_run(owner=ada, council=small.council, conversation=large.conversation, status=RunStatus.FAILED)
    last = make_run(owner=ada, council=large.council, plan=finished_plan(9), conversation=large.conversation)

    assert queries(f"/runs/{last.public_id}/") == queries(f"/runs/{small.public_id}/") <= 14


def test_parts_of_the_run_page_cost_no_more_than_the_run(queries: Callable[[str], int], ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING, plan=finished_plan(4))

    assert queries(f"/runs/{run.public_id}/parts/head,rail,votes,opinion:agent_1/") <= 5


@pytest.mark.parametrize(
    ("path", "most"),
    [("/", 12), ("/conversations/", 4), ("/conversations/?show=failures", 4), ("/conversations/?q=annual+plan", 5)],
)
def test_lists_ask_the_same_for_one_and_for_many(queries: Callable[[str], int], ada: User, path: str, most: int) -> None:
    make_run(owner=ada, council=make_council(), status=RunStatus.PARTIAL)
    few = queries(path)
    for _ in range(4):
        make_run(owner=ada, council=make_council(seats=5), status=RunStatus.PARTIAL)

    assert queries(path) == few <= most


def test_a_conversation_asks_the_same_for_one_turn_and_for_many(
    queries: Callable[[str], int], ada: User, council: CouncilConfiguration
) -> None:
    thread = make_run(owner=ada, council=council).conversation
    few = queries(f"/conversations/{thread.public_id}/")
    for _ in range(4):
        make_run(owner=ada, council=council, conversation=thread)

    assert queries(f"/conversations/{thread.public_id}/") == few <= 12
