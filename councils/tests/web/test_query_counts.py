"""Each page asks the database as many questions for thirty rows as for three."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.models import CouncilConfiguration, CouncilRun, Feedback, User
from councils.tests.factories import RunPlan, make_council, make_run

Grow = Callable[[User, CouncilRun], None]
FEW, MANY = 3, 30


def one_more_conversation(ada: User, first: CouncilRun) -> None:
    make_run(owner=ada, council=first.council, plan=RunPlan())


def one_more_turn(ada: User, first: CouncilRun) -> None:
    newer = make_run(owner=ada, council=first.council, conversation=first.conversation, plan=RunPlan())
    Feedback.objects.create(run=newer, by=ada, verdict="up")


def one_more_version(ada: User, first: CouncilRun) -> None:
    newer = make_run(owner=ada, council=first.council, conversation=first.conversation, plan=RunPlan())
    CouncilRun.objects.filter(pk=newer.pk).update(message=first.message, based_on=first)


def one_more_council(ada: User, first: CouncilRun) -> None:
    make_run(owner=ada, council=make_council(seats=3), plan=RunPlan())


@pytest.fixture
def first(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_run(owner=ada, council=council)


@pytest.mark.parametrize(
    ("path", "grow"),
    [
        ("/", one_more_conversation),
        ("/", one_more_council),
        ("/settings/", one_more_council),
        ("/usage/", one_more_council),
        ("/conversations/", one_more_conversation),
        ("/conversations/", one_more_council),
        ("/conversations/?q=annual", one_more_conversation),
        ("/conversations/?show=failures", one_more_conversation),
        ("/conversations/{thread}/", one_more_turn),
        ("/conversations/{thread}/", one_more_version),
        ("/runs/{run}/", one_more_turn),
        ("/runs/{run}/", one_more_version),
    ],
)
def test_thirty_rows_cost_no_more_questions_than_three(page: Client, ada: User, first: CouncilRun, path: str, grow: Grow) -> None:
    address = path.format(thread=first.conversation.public_id, run=first.public_id)
    counts = []
    for rows in (FEW, MANY):
        while CouncilRun.objects.count() < rows:
            grow(ada, first)
        with CaptureQueriesContext(connection) as captured:
            assert page.get(address).status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]
