"""Lists and records cost the same number of queries however much there is."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.api.kept import kept_records
from councils.engine.types import Stage
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.api.rows import add_call, add_step, end_run, make_council, make_finished_run, make_model, make_run

Cost = Callable[[str], int]


@pytest.fixture
def cost(api: Client) -> Cost:
    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.get(address).status_code == 200
        return len(queries)

    return count


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_finished_run(ada, council)


def test_more_councils_and_seats_cost_nothing(cost: Cost, council: CouncilConfiguration) -> None:
    before = cost("/api/v1/councils/")
    for slug in ("one", "two", "three"):
        make_council(slug)

    assert cost("/api/v1/councils/") == before


def test_more_models_cost_nothing(cost: Cost) -> None:
    make_model()
    before = cost("/api/v1/models/")
    for name in ("one", "two", "three"):
        make_model(name, provider=name.title())

    assert cost("/api/v1/models/") == before


def test_more_runs_and_conversations_cost_nothing(cost: Cost, ada: User, run: CouncilRun) -> None:
    addresses = ("/api/v1/runs/", "/api/v1/conversations/")
    before = [cost(address) for address in addresses]
    for _ in range(3):
        make_finished_run(ada, make_council(f"council-{CouncilRun.objects.count()}"))

    assert [cost(address) for address in addresses] == before


def test_a_long_record_costs_what_a_short_one_does(cost: Cost, run: CouncilRun) -> None:
    address = f"/api/v1/runs/{run.public_id}/"
    before = cost(address)
    for number in range(5):
        step = add_step(run, f"opinion:extra_{number}", Stage.OPINIONS, f"extra_{number}")
        add_call(step)
        add_call(step, attempt=2)
    # No step is added to a run that has ended: what was kept of it does not know of these.
    kept_records.clear()

    assert cost(address) == before


def test_a_long_conversation_costs_what_a_short_one_does(cost: Cost, ada: User, run: CouncilRun, council: CouncilConfiguration) -> None:
    address = f"/api/v1/conversations/{run.conversation.public_id}/"
    before = cost(address), cost(f"{address}messages/")
    for _ in range(3):
        end_run(make_run(ada, council, conversation=run.conversation))

    assert (cost(address), cost(f"{address}messages/")) == before


def test_more_events_cost_nothing(cost: Cost, run: CouncilRun) -> None:
    add = {"type": "opinion_completed", "payload": {"key": "opinion:agent_1"}}
    run.events.create(seq=2, **add)
    before = cost(f"/api/v1/runs/{run.public_id}/events/")
    for seq in range(3, 8):
        run.events.create(seq=seq, **add)

    assert cost(f"/api/v1/runs/{run.public_id}/events/") == before


def test_a_list_does_not_carry_what_it_does_not_show(api: Client, run: CouncilRun) -> None:
    with CaptureQueriesContext(connection) as queries:
        api.get("/api/v1/runs/")

    assert not any("config_snapshot" in query["sql"] for query in queries)
