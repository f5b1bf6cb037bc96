"""Following background work by its task id: the database says how it stands."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.api.conftest import ClientOf
from councils.tests.api.rows import make_finished_run, make_run

pytestmark = pytest.mark.django_db


def ask(client: Client) -> str:
    answer = client.post("/api/v1/runs/", {"question": "Why?", "council": "wise"}, content_type="application/json")
    assert answer.status_code == 202, answer.content
    return str(answer.json()["task_id"])


def test_who_starts_a_run_is_given_a_task_id_to_follow(council: CouncilConfiguration, ada: User, client_of: ClientOf) -> None:
    client = client_of(ada)
    task_id = ask(client)

    task = client.get(f"/api/v1/tasks/{task_id}/").json()

    assert (task["task_id"], task["kind"], task["status"], task["finished"]) == (task_id, "run", "queued", False)
    assert (task["result"], task["reason"], task["started_at"], task["finished_at"]) == (None, "", None, None)


def test_a_task_that_has_ended_leads_to_its_result(council: CouncilConfiguration, ada: User, client_of: ClientOf) -> None:
    client, run = client_of(ada), make_finished_run(ada, council)

    task = client.get(f"/api/v1/tasks/{run.public_id}/").json()

    assert (task["status"], task["finished"]) == ("succeeded", True)
    assert client.get(task["result"]).json()["id"] == run.public_id


@pytest.mark.parametrize("status", [status.value for status in RunStatus])
def test_every_status_of_a_run_is_one_of_its_task(council: CouncilConfiguration, ada: User, client_of: ClientOf, status: str) -> None:
    run = make_run(ada, council)
    CouncilRun.objects.update(status=status, reason="Because.")

    task = client_of(ada).get(f"/api/v1/tasks/{run.public_id}/").json()

    assert (task["status"], task["reason"]) == (status, "Because.")


def test_what_the_broker_remembers_is_not_asked(
    council: CouncilConfiguration, ada: User, client_of: ClientOf, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUN_ENGINE = "celery"
    monkeypatch.setattr("councils.tasks.process_council_async.delay", lambda _: None)
    monkeypatch.setattr("celery.result.AsyncResult.__init__", None)
    client = client_of(ada)

    assert client.get(f"/api/v1/tasks/{ask(client)}/").json()["status"] == "queued"


def test_a_deleted_conversation_takes_its_tasks_along(council: CouncilConfiguration, ada: User, client_of: ClientOf) -> None:
    client, run = client_of(ada), make_run(ada, council)
    client.delete(f"/api/v1/conversations/{run.conversation.public_id}/")

    assert client.get(f"/api/v1/tasks/{run.public_id}/").status_code == 404


@pytest.mark.parametrize("task_id", ["a" * 26, "A" * 26, "a" * 25, "%00" * 26, "celery-made-this-up"])
def test_an_id_that_is_nobodys_is_not_found(ada: User, client_of: ClientOf, task_id: str) -> None:
    answer = client_of(ada).get(f"/api/v1/tasks/{task_id}/")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_following_takes_one_query_of_its_own(
    council: CouncilConfiguration, ada: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    client, run = client_of(ada), make_run(ada, council)

    # The key with its user, and that it was used.
    with django_assert_max_num_queries(3):
        assert client.get(f"/api/v1/tasks/{run.public_id}/").status_code == 200
