"""Figures of a run that no single row holds."""

from datetime import timedelta

import pytest

from councils.api import presenters
from councils.engine.types import Stage
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, User
from councils.tests.api.rows import add_call, add_step, make_run


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_run(ada, council)


def read(run: CouncilRun) -> CouncilRun:
    return CouncilRun.objects.with_details().get(pk=run.pk)


def test_every_model_has_its_own_sums(run: CouncilRun) -> None:
    for agent_id, name, tokens in (("agent_1", "small", 10), ("agent_2", "large", 100), ("agent_3", "small", 5)):
        call = add_call(add_step(run, f"opinion:{agent_id}", Stage.OPINIONS, agent_id), prompt_tokens=tokens, completion_tokens=1)
        call.model_name = name
        call.save()

    opinions = presenters.token_usage(read(run))["stage1_opinions"]

    assert {name: each["total_tokens"] for name, each in opinions["by_model"].items()} == {"small": 17, "large": 101}
    assert opinions["total_tokens"] == 118


def test_a_retry_counts_for_what_it_consumed(run: CouncilRun) -> None:
    step = add_step(run, "opinion:agent_1", Stage.OPINIONS, "agent_1")
    add_call(step, status=CallStatus.BROKEN, prompt_tokens=100, completion_tokens=7)
    add_call(step, attempt=2, prompt_tokens=100, completion_tokens=50)

    assert presenters.token_usage(read(run))["total_tokens"] == 257


def test_half_known_usage_is_told_as_unknown_but_not_thrown_away(run: CouncilRun) -> None:
    add_call(add_step(run, "opinion:agent_1", Stage.OPINIONS, "agent_1"), prompt_tokens=100, completion_tokens=None)

    usage = presenters.token_usage(read(run))

    assert (usage["calls_without_usage"], usage["total_prompt_tokens"], usage["total_completion_tokens"]) == (1, 100, 0)


def test_calls_without_a_latency_do_not_pull_the_average_down(run: CouncilRun) -> None:
    step = add_step(run, "opinion:agent_1", Stage.OPINIONS, "agent_1")
    add_call(step, status=CallStatus.ORPHANED, latency_ms=None)
    add_call(step, attempt=2, latency_ms=900)

    opinions = presenters.latency(read(run))["stage1_opinions"]

    assert (opinions["calls"], opinions["average_latency_ms"], opinions["max_latency_ms"]) == (2, 900, 900)


def test_a_stage_lasts_from_its_first_beginning_to_its_last_end(run: CouncilRun) -> None:
    first, second = (add_step(run, f"opinion:{agent_id}", Stage.OPINIONS, agent_id) for agent_id in ("agent_1", "agent_2"))
    assert second.finished_at is not None
    second.started_at, second.finished_at = first.started_at, first.started_at + timedelta(seconds=7)
    second.save()

    assert presenters.latency(read(run))["stage1_opinions"]["duration_ms"] == 7000


def test_a_stage_that_goes_on_has_no_duration_yet(run: CouncilRun) -> None:
    add_step(run, "opinion:agent_1", Stage.OPINIONS, "agent_1")
    open_step = add_step(run, "opinion:agent_2", Stage.OPINIONS, "agent_2")
    open_step.finished_at = None
    open_step.save()

    assert presenters.latency(read(run))["stage1_opinions"]["duration_ms"] is None


def test_revised_opinions_stand_beside_the_first_ones(run: CouncilRun) -> None:
    for key in ("opinion:agent_1", "opinion:agent_1:2"):
        add_step(run, key, Stage.OPINIONS, "agent_1")

    assert [step.key for step in presenters.opinions(read(run))] == ["opinion:agent_1", "opinion:agent_1:2"]


def test_the_tally_is_not_among_the_reviews(run: CouncilRun) -> None:
    add_step(run, "review:agent_1", Stage.REVIEW, "agent_1")
    add_step(run, "tally", Stage.REVIEW, payload={"winner": "agent_1"})

    assert [step.key for step in presenters.reviews(read(run))] == ["review:agent_1"]
    assert presenters.tally(read(run)) == {"winner": "agent_1"}


def test_a_snapshot_of_another_age_gives_gaps_and_no_crash(run: CouncilRun) -> None:
    run.config_snapshot = {"format": 99}
    run.save()

    assert presenters.seats(read(run)) == []
    assert presenters.rules(read(run))["voting_system"] is None
