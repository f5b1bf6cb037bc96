"""What the past of a council says of its next question."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from councils.engine.carrying import Course
from councils.engine.types import RunStatus
from councils.models import ChairmanFallback, CouncilConfiguration, CouncilRun, ModelCall, ModelInfo
from councils.services.estimating import Estimate
from councils.services.expecting import LAST, Expectation, expectations
from councils.tests.factories import RunPlan, make_council, make_model, make_run

pytestmark = pytest.mark.django_db


def answered(council: CouncilConfiguration, cost: str, seconds: float, **fields: Any) -> CouncilRun:
    """A full run that cost so much and took so long."""
    run = make_run(council=council, plan=RunPlan(), known_cost_usd=Decimal(cost), **fields)
    CouncilRun.objects.filter(pk=run.pk).update(finished_at=run.created_at + timedelta(seconds=seconds))
    return run


def expected(council: CouncilConfiguration) -> Expectation:
    return expectations([CouncilConfiguration.objects.with_details().get(pk=council.pk)])[council.pk]


def test_a_council_that_was_never_asked_is_unknown() -> None:
    found = expected(make_council())

    assert replace(found, estimate=Estimate()) == Expectation(runs=0, priced=0, cost_usd=None, took_ms=None)


def test_a_council_that_was_never_asked_is_reckoned_by_its_prices() -> None:
    found = expected(make_council())

    assert found.estimate.low is not None
    assert found.likely_usd == found.estimate.expected
    assert found.most_usd == found.estimate.high
    assert 0 < found.estimate.low < (found.likely_usd or 0) < (found.most_usd or 0)


def test_experience_counts_until_there_is_a_text() -> None:
    council = make_council()
    answered(council, "0.02", 10)
    stored = CouncilConfiguration.objects.with_details().get(pk=council.pk)

    usual, typed = (expectations([stored], question=text)[council.pk] for text in ("", "Which is best?"))

    assert usual.likely_usd == Decimal("0.02")
    assert typed.likely_usd == typed.estimate.expected != Decimal("0.02")


def test_a_longer_question_costs_more() -> None:
    stored = CouncilConfiguration.objects.with_details().get(pk=make_council().pk)

    short, long = (expectations([stored], question="word " * words)[stored.pk].estimate for words in (10, 2_000))

    assert None not in (short.low, short.expected, short.high, long.low, long.expected, long.high)
    assert (short.low or 0) < (long.low or 0)
    assert (short.expected or 0) < (long.expected or 0)
    assert (short.high or 0) < (long.high or 0)


def test_what_is_at_most_is_never_less_than_what_is_likely() -> None:
    council = make_council()
    answered(council, "900", 10)

    found = expected(council)

    assert found.most_usd == found.likely_usd == Decimal(900)


def test_a_council_that_lacks_a_price_or_a_chairman_has_no_estimate() -> None:
    council = make_council()
    ModelInfo.objects.filter(pk=council.members.all()[1].model_id).update(cost_per_1k_input_tokens=None)
    assert expected(council).estimate == Estimate()
    assert expected(council).most_usd is None

    ModelInfo.objects.update(is_active=False)
    assert expected(council).estimate == Estimate()


def test_the_median_and_the_quartiles_tell_what_is_usual() -> None:
    council = make_council()
    for cost, seconds in (("0.01", 10), ("0.02", 20), ("0.03", 30), ("0.04", 40), ("9.99", 3000)):
        answered(council, cost, seconds)

    found = expected(council)

    assert found.runs == found.priced == 5
    assert found.cost_usd is not None
    assert found.took_ms is not None
    assert (found.cost_usd.low, found.cost_usd.median, found.cost_usd.high) == (Decimal("0.02"), Decimal("0.03"), Decimal("0.04"))
    assert (found.took_ms.low, found.took_ms.median, found.took_ms.high) == (20_000, 30_000, 40_000)


def test_three_questions_make_no_spread() -> None:
    council = make_council()
    for cost in ("0.01", "0.02", "0.06"):
        answered(council, cost, 10)

    cost_usd = expected(council).cost_usd

    assert cost_usd is not None
    assert (cost_usd.low, cost_usd.median, cost_usd.high) == (None, Decimal("0.02"), None)


def test_answers_from_the_cache_say_nothing_of_a_new_question() -> None:
    council = make_council()
    answered(council, "0.02", 10)
    cheap = make_run(council=council, known_cost_usd=Decimal(0))
    ModelCall.objects.filter(run=cheap, step__key="opinion:agent_1").update(cached=True)

    found = expected(council)

    assert (found.runs, found.priced) == (1, 1)
    assert found.cost_usd is not None
    assert found.cost_usd.median == Decimal("0.02")


def test_only_the_last_questions_count() -> None:
    council = make_council()
    answered(council, "50", 500)
    for _ in range(LAST):
        answered(council, "0.01", 10)

    found = expected(council)

    assert found.runs == LAST
    assert found.cost_usd is not None
    assert found.cost_usd.high == Decimal("0.01")


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.RUNNING, RunStatus.QUEUED])
def test_what_gave_no_answer_does_not_count(status: RunStatus) -> None:
    council = make_council()
    answered(council, "0.5", 50, status=status)

    assert expected(council).runs == 0


@pytest.mark.parametrize("course", [course for course in Course if course is not Course.FULL])
def test_a_later_try_that_pays_only_for_a_part_does_not_count(course: Course) -> None:
    council = make_council()
    answered(council, "0.5", 50, course=course.value)

    assert expected(council).runs == 0


def test_an_answer_in_part_counts_and_other_councils_do_not() -> None:
    council = make_council()
    answered(council, "0.5", 50, status=RunStatus.PARTIAL)
    answered(make_council(), "7", 70)

    found = expected(council)

    assert found.runs == 1
    assert found.cost_usd is not None
    assert found.cost_usd.median == Decimal("0.5")


def test_a_run_with_an_unknown_cost_tells_the_time_only() -> None:
    council = make_council()
    answered(council, "0.01", 10)
    answered(council, "0", 30, unknown_costs=2)

    found = expected(council)

    assert (found.runs, found.priced) == (2, 1)
    assert found.cost_usd is not None
    assert found.took_ms is not None
    assert (found.cost_usd.median, found.took_ms.median) == (Decimal("0.01"), 20_000)


def test_where_every_cost_is_unknown_the_expected_one_is() -> None:
    council = make_council()
    answered(council, "0", 10, unknown_costs=1)

    assert expected(council).cost_usd is None


def test_free_models_cost_nothing_before_they_are_asked() -> None:
    council = make_council()
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)
    cost_usd = expected(council).cost_usd
    assert cost_usd is not None
    assert cost_usd.median == 0

    ChairmanFallback.objects.create(council=council, model=make_model())
    assert expected(council).cost_usd is None


def test_an_answer_before_its_question_took_no_time() -> None:
    council = make_council()
    answered(council, "0.01", -5)

    took_ms = expected(council).took_ms

    assert took_ms is not None
    assert took_ms.median == 0


def test_many_councils_and_many_runs_take_three_queries() -> None:
    for _ in range(3):
        council = make_council()
        for _ in range(3):
            answered(council, "0.01", 10)
    councils = list(CouncilConfiguration.objects.with_details())

    with CaptureQueriesContext(connection) as captured:
        found = expectations(councils)

    assert len(captured) == 3
    assert [expectation.runs for expectation in found.values()] == [3, 3, 3]


def test_without_councils_nothing_is_expected() -> None:
    assert expectations([]) == {}
