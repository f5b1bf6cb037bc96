"""Runs that another version of the software recorded are shown as far as they can be, and break nothing."""

from typing import Any

import pytest
from django.test import Client

from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.factories import make_run

NOTE = "Another version of this software recorded this run."


def snapshots(good: dict[str, Any]) -> dict[str, Any]:
    """Configurations that this version does not read: another format, and its own with something missing or of another kind."""
    return {
        "another format": {**good, "format": 99},
        "none": {},
        "no spec": {"format": good["format"]},
        "seats that are no list": {**good, "spec": {**good["spec"], "seats": 3}},
        "an unknown voting system": {**good, "spec": {**good["spec"], "voting_system": "lottery"}},
        "a model that is no record": {**good, "models": {"m1": "gpt"}},
    }


CASES = ("another format", "none", "no spec", "seats that are no list", "an unknown voting system", "a model that is no record")


@pytest.fixture
def run(request: pytest.FixtureRequest, ada: User, council: CouncilConfiguration) -> CouncilRun:
    made = make_run(owner=ada, council=council, answer="Ten **months**.")
    CouncilRun.objects.filter(pk=made.pk).update(config_snapshot=snapshots(made.config_snapshot)[request.param])
    return made


@pytest.mark.parametrize("run", CASES, indirect=True)
def test_its_question_and_answer_are_shown_with_a_note(page: Client, run: CouncilRun) -> None:
    response = page.get(f"/runs/{run.public_id}/")

    assert response.status_code == 200
    assert NOTE in response.text
    assert "How should we price the annual plan?" in response.text
    assert "Ten <strong>months</strong>." in response.text


@pytest.mark.parametrize("run", ["another format"], indirect=True)
def test_one_can_ask_again_and_ask_on(page: Client, run: CouncilRun) -> None:
    text = page.get(f"/runs/{run.public_id}/").text

    assert f'action="/runs/{run.public_id}/again/"' in text
    assert "/retry/" not in text
    assert "<textarea" in text
    assert page.post(f"/runs/{run.public_id}/again/", {"nonce": "n"})["Location"] != f"/runs/{run.public_id}/"


@pytest.mark.parametrize("run", ["another format"], indirect=True)
def test_it_has_no_parts_to_keep_fresh(page: Client, run: CouncilRun) -> None:
    assert page.get(f"/runs/{run.public_id}/parts/head,body/").status_code == 404


@pytest.mark.parametrize("run", CASES, indirect=True)
def test_its_conversation_and_the_lists_are_as_ever(page: Client, run: CouncilRun) -> None:
    assert "Ten <strong>months</strong>." in page.get(f"/conversations/{run.conversation.public_id}/").text
    assert page.get("/conversations/").status_code == 200
    assert page.get("/").status_code == 200


def test_a_live_one_refreshes_itself_until_it_is_given_up(page: Client, ada: User, council: CouncilConfiguration) -> None:
    live = make_run(owner=ada, council=council, status=RunStatus.RUNNING)
    CouncilRun.objects.filter(pk=live.pk).update(config_snapshot={"format": 99})

    text = page.get(f"/runs/{live.public_id}/").text

    assert NOTE in text
    assert '<noscript><meta http-equiv="refresh"' in text
    assert "/again/" not in text


def test_a_blind_one_names_nobody(page: Client, ada: User, council: CouncilConfiguration) -> None:
    blind = make_run(owner=ada, council=council, blind=True)
    CouncilRun.objects.filter(pk=blind.pk).update(config_snapshot={"format": 99})
    CouncilConfiguration.objects.update(is_active=False)

    text = page.get(f"/runs/{blind.public_id}/").text

    assert not [name for name in ("Analyst", "Skeptic", "Customer", "Operator") if name in text]
