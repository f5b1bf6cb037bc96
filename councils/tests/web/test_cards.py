"""What a member's card tells: who it is meant to be, how long it works, what it costs, and why it did not go as planned."""

from decimal import Decimal

import pytest
from django.core.cache import cache
from django.test import Client

from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilRun, ModelCall, RunStep, User
from councils.tests import scenes
from councils.tests.factories import RunPlan, make_council, make_run

RUNNING = StepStatus.RUNNING


def card(page: Client, run: CouncilRun, place: int) -> str:
    response = page.get(f"/runs/{run.public_id}/parts/opinion:agent_{place}/")
    assert response.status_code == 200
    return " ".join(response.text.split())


def live(ada: User, council: CouncilConfiguration, *opinions: StepStatus) -> CouncilRun:
    return make_run(owner=ada, council=council, status=RunStatus.RUNNING, plan=RunPlan(opinions=opinions))


@pytest.mark.parametrize(("persona", "is_folded"), [("You count.", False), ("You doubt. " * 30, True), ("One line.\nTwo.", True)])
def test_a_persona_is_shown_and_a_long_one_can_be_unfolded(page: Client, ada: User, persona: str, is_folded: bool) -> None:
    council = make_council()
    council.members.update(persona=persona)

    text = card(page, live(ada, council, RUNNING), 1)

    assert " ".join(persona.split()) in text
    assert ('<details class="persona"' in text) is is_folded


def test_a_member_without_a_persona_has_no_line_for_it(page: Client, ada: User, council: CouncilConfiguration) -> None:
    assert "persona" not in card(page, live(ada, council, RUNNING), 1)


def test_a_member_at_work_shows_for_how_long(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = live(ada, council, RUNNING, StepStatus.DONE)

    assert 'class="working" data-elapsed-ms="' in card(page, run, 1)
    assert "data-elapsed-ms" not in card(page, run, 2)
    assert "data-elapsed-ms" not in card(page, run, 3)


def test_tokens_are_estimated_while_the_text_is_written(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = live(ada, council, RUNNING)
    cache.set(f"drafts:{run.public_id}", {"opinion:agent_1": {"attempt": 1, "text": "x" * 4004}})

    assert ">about 1,001 tokens</span>" in card(page, run, 1)


@pytest.mark.parametrize(
    ("costs", "shown"),
    [(["0.0123"], "0.0123 USD"), (["0.01", "0.0023"], "0.0123 USD"), (["0.01", None], "at least 0.0100 USD"), ([None], "cost unknown")],
)
def test_a_card_says_what_its_calls_have_cost(
    page: Client, ada: User, council: CouncilConfiguration, costs: list[str | None], shown: str
) -> None:
    run = live(ada, council, StepStatus.DONE)
    call = ModelCall.objects.get(run=run)
    for attempt, cost in enumerate(costs, start=1):
        call.pk, call.public_id, call.attempt = (call.pk if attempt == 1 else None), f"{attempt:026d}", attempt
        call.cost_usd = None if cost is None else Decimal(cost)
        call.save()

    assert shown in card(page, run, 1)


def test_a_call_that_is_under_way_has_no_unknown_cost_yet(page: Client, ada: User, council: CouncilConfiguration) -> None:
    assert "unknown" not in card(page, live(ada, council, RUNNING), 1)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(StepStatus.LATE, "so the council went on without it"), (StepStatus.LATE_DONE, "This came after the council had gone on")],
)
def test_a_late_member_says_what_that_means(
    page: Client, ada: User, council: CouncilConfiguration, status: StepStatus, reason: str
) -> None:
    assert reason in card(page, live(ada, council, status), 1)


def test_a_substitute_says_for_whom_it_speaks_and_why(page: Client, ada: User) -> None:
    run = scenes.troubled(ada)
    first = ModelCall.objects.filter(run=run, step__key="opinion:agent_1").order_by("attempt").first()
    assert first is not None
    label = run.config_snapshot["models"][run.spec_seats()[0]["model"]]["label"]

    assert f"llama3.2:1b speaks for {label}, which failed: The provider asks us to slow down." in card(page, run, 1)


def test_a_substitute_whose_first_model_left_no_trace_says_so_too(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = live(ada, council, StepStatus.DONE)
    RunStep.objects.filter(run=run).update(substituted=True)
    ModelCall.objects.filter(run=run).update(substituted=True)

    assert "A substitute model speaks for this member." in card(page, run, 1)


def test_ten_tries_are_counted(page: Client, ada: User) -> None:
    assert "10 tries" in card(page, scenes.troubled(ada), 2)
