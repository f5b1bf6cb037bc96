"""What a run is expected to cost before it starts."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from councils.engine.types import RunStatus, Stage
from councils.models import CouncilConfiguration, ModelCall, ModelInfo
from councils.services.asking import snapshot_to_ask
from councils.services.estimating import Estimate, Matter, Written, estimate_run, past_of
from councils.snapshot import Snapshot
from councils.tests.factories import make_council, make_run

pytestmark = pytest.mark.django_db

QUESTION = Matter(question="Which is best?")


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council(seats=4)


def snapshot_of(council: CouncilConfiguration, **spec: Any) -> Snapshot:
    snapshot = snapshot_to_ask(council, seed="seed")
    return replace(snapshot, spec=replace(snapshot.spec, **spec))


def expected(snapshot: Snapshot, matter: Matter = QUESTION) -> Decimal:
    amount = estimate_run(snapshot, matter).expected
    assert amount is not None
    return amount


def test_low_expected_and_high_stand_in_this_order(council: CouncilConfiguration) -> None:
    estimate = estimate_run(snapshot_of(council), QUESTION)

    assert estimate.low is not None
    assert estimate.expected is not None
    assert estimate.high is not None
    assert 0 < estimate.low < estimate.expected < estimate.high


def test_free_models_cost_nothing_at_most(council: CouncilConfiguration) -> None:
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)

    assert estimate_run(snapshot_of(council), QUESTION) == Estimate(low=Decimal(0), expected=Decimal(0), high=Decimal(0))


def test_a_missing_price_makes_it_unknown_and_not_zero(council: CouncilConfiguration) -> None:
    snapshot = snapshot_of(council)
    key = next(iter(snapshot.models))
    unpriced = replace(snapshot, models={**snapshot.models, key: replace(snapshot.models[key], output_price=None)})

    assert estimate_run(unpriced, QUESTION) == Estimate(low=None, expected=None, high=None)


def test_a_longer_question_and_a_longer_conversation_cost_more(council: CouncilConfiguration) -> None:
    snapshot = snapshot_of(council)

    assert expected(snapshot, Matter(question="Which? " * 500)) > expected(snapshot)
    assert expected(snapshot, replace(QUESTION, history_chars=20_000)) > expected(snapshot)


def test_what_is_kept_is_not_paid_again(council: CouncilConfiguration) -> None:
    snapshot = snapshot_of(council)
    opinions = frozenset(f"opinion:agent_{number}" for number in range(1, 5))
    reviews = frozenset(f"review:agent_{number}" for number in range(1, 5))

    everything, reviewed, written = (
        expected(snapshot, replace(QUESTION, kept=kept)) for kept in (frozenset(), opinions, opinions | reviews)
    )

    assert everything > reviewed > written > 0
    assert expected(snapshot, replace(QUESTION, kept=opinions | reviews | {"synthesis"})) == 0


def test_a_council_without_review_costs_less(council: CouncilConfiguration) -> None:
    assert expected(snapshot_of(council, enable_peer_review=False)) < expected(snapshot_of(council))


def test_one_seat_alone_is_paid_for_one_answer(council: CouncilConfiguration) -> None:
    alone = snapshot_to_ask(council, member="agent_1", seed="seed")

    assert 0 < expected(alone) < expected(snapshot_of(council)) / 6


def test_limits_of_tokens_bound_the_upper_estimate(council: CouncilConfiguration) -> None:
    free_hand = estimate_run(snapshot_of(council), QUESTION).high
    council.members.update(max_tokens=300)
    CouncilConfiguration.objects.update(review_max_tokens=200, chairman_max_tokens=300)

    limited = estimate_run(snapshot_of(council), QUESTION).high

    assert free_hand is not None
    assert limited is not None
    assert limited < free_hand / 5


def test_the_upper_estimate_takes_the_dearest_model_of_a_seat(council: CouncilConfiguration) -> None:
    before = estimate_run(snapshot_of(council), QUESTION)
    seat = council.members.get(agent_id="agent_1")
    seat.fallback_model = ModelInfo.objects.create(
        provider=seat.model.provider, name="dear", cost_per_1k_input_tokens=Decimal(1), cost_per_1k_output_tokens=Decimal(1)
    )
    seat.save()

    after = estimate_run(snapshot_of(council), QUESTION)

    assert after.expected == before.expected
    assert before.high is not None
    assert after.high is not None
    assert after.high > before.high + 4


def test_an_extra_round_is_in_the_upper_estimate_alone(council: CouncilConfiguration) -> None:
    once, twice = (estimate_run(snapshot_of(council, extra_round=extra), QUESTION) for extra in (False, True))

    assert once.expected == twice.expected
    assert once.high is not None
    assert twice.high is not None
    assert once.high * Decimal("1.5") < twice.high


def test_scripts_that_need_more_tokens_are_in_the_upper_estimate(council: CouncilConfiguration) -> None:
    latin, arabic = (estimate_run(snapshot_of(council), Matter(question=letter * 40_000)).high for letter in ("a", "س"))

    assert latin is not None
    assert arabic is not None
    assert arabic > latin


def test_what_seats_wrote_before_is_expected_of_them_again(council: CouncilConfiguration) -> None:
    make_run(council=council)
    ModelCall.objects.filter(step__stage=Stage.OPINIONS).update(completion_tokens=2_000)
    make_run(council=council, status=RunStatus.FAILED)
    make_run(council=make_council())

    past = past_of(council.pk)

    assert past["opinions", "agent_1"] == Written(mean=2_000, least=2_000)
    assert past["synthesis", ""] == Written(mean=412, least=412)
    assert expected(snapshot_of(council), replace(QUESTION, past=past)) > expected(snapshot_of(council))


def test_answers_from_the_cache_say_nothing_of_what_is_written(council: CouncilConfiguration) -> None:
    make_run(council=council)
    ModelCall.objects.filter(step__agent_id="agent_1").update(completion_tokens=0)

    assert ("opinions", "agent_1") not in past_of(council.pk)


def test_the_past_of_a_council_is_one_query(council: CouncilConfiguration, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        make_run(council=council)

    with django_assert_num_queries(1):
        past_of(council.pk)
