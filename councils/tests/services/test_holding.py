"""Runs that came back with a backup: nobody takes them up until staff decide."""

import pytest
from django.test import Client
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import CallStatus, CouncilRun, ModelCall
from councils.runner.host import EngineHost
from councils.services.attention import runs_needing_attention
from councils.services.holding import continue_run, give_up_run, hold_live_runs
from councils.store.claims import claim_run, live_runs
from councils.tests.durability.support import Asker, ended, wait_until
from councils.tests.factories import make_run
from councils.tests.store.support import Owner


@pytest.fixture
def held(ask: Asker, quick_engine: None) -> CouncilRun:
    """A run in flight that came back with a backup."""
    run = ask("", "", "")
    Owner.of(run)
    assert hold_live_runs() == 1
    run.refresh_from_db()
    return run


def test_no_engine_takes_a_held_run_up(held: CouncilRun) -> None:
    assert live_runs() == []
    assert claim_run(held.pk, worker="new") is None
    assert claim_run(held.pk, worker="new", dead=(held.epoch, held.heartbeat)) is None


def test_whoever_owned_it_finds_it_lost(ask: Asker, quick_engine: None) -> None:
    owner = Owner.of(ask("", "", ""))

    hold_live_runs()

    assert not owner.is_alive()


def test_only_runs_that_have_not_ended_are_held_and_once(held: CouncilRun) -> None:
    finished = make_run()
    CouncilRun.objects.filter(pk=finished.pk).update(status=RunStatus.SUCCEEDED.value)

    assert hold_live_runs() == 1

    held_again = CouncilRun.objects.get(pk=held.pk)
    assert (held_again.epoch, held_again.is_held) == (held.epoch, True)
    assert not CouncilRun.objects.get(pk=finished.pk).is_held


def test_staff_see_it_and_the_owner_of_the_question_is_told(held: CouncilRun, client: Client) -> None:
    client.force_login(held.owner)

    assert held in runs_needing_attention(timezone.now())
    assert client.get(f"/api/v1/runs/{held.public_id}/").json()["held"] is True
    for page in (f"/runs/{held.public_id}/", "/conversations/", f"/conversations/{held.conversation.public_id}/"):
        assert "Waits for the staff" in client.get(page).content.decode(), page


def test_its_owner_reads_what_happened_and_not_that_somebody_is_at_work(held: CouncilRun, client: Client) -> None:
    client.force_login(held.owner)

    thread = client.get(f"/conversations/{held.conversation.public_id}/").text
    run = client.get(f"/runs/{held.public_id}/").text

    assert "No answer comes until the staff decide" in thread
    assert "No answer comes until the staff decide" in run
    assert "The last question waits for the staff" in thread
    assert "is at work" not in thread + run
    assert "still being answered" not in thread


def test_a_run_that_may_continue_goes_on_to_its_end(ask: Asker, engine: EngineHost) -> None:
    engine.stop()
    run = ask("", "", "")
    owner = Owner.of(run)
    owner.begin("opinion:agent_1")
    hold_live_runs()

    engine.start()
    assert continue_run(run=run, by=ask.user) is True
    assert continue_run(run=run, by=ask.user) is False

    assert ended(run).status == RunStatus.SUCCEEDED
    # The call that was under way is told, and was made again.
    calls = ModelCall.objects.filter(run=run, step__key="opinion:agent_1").order_by("pk")
    assert [call.status for call in calls] == [CallStatus.ORPHANED, CallStatus.DONE]


def test_a_run_that_is_given_up_is_cancelled(held: CouncilRun) -> None:
    assert give_up_run(run=held, by=held.owner) is True
    assert give_up_run(run=held, by=held.owner) is False

    held.refresh_from_db()
    assert (held.status, held.is_held) == (RunStatus.CANCELLED, False)


def test_its_asker_may_cancel_it_too(held: CouncilRun, client: Client) -> None:
    client.force_login(held.owner)

    client.post(f"/runs/{held.public_id}/cancel/")

    wait_until(lambda: CouncilRun.objects.get(pk=held.pk).status == RunStatus.CANCELLED, "it is cancelled")
