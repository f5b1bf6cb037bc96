"""Looking after councils: the default, copies, what keeps them from deliberating, and which runs need a look."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember, CouncilRun
from councils.services.attention import GRACE, runs_needing_attention
from councils.services.curating import DEFAULT_STAYS_ON, clone_council, make_default, switch_off, switch_on
from councils.services.standing import council_problems, draft_faults
from councils.tests.factories import make_council, make_model, make_run

pytestmark = pytest.mark.django_db


def loaded(council: CouncilConfiguration) -> CouncilConfiguration:
    return CouncilConfiguration.objects.with_details().get(pk=council.pk)


def test_a_council_that_can_deliberate_has_no_problems() -> None:
    assert council_problems(loaded(make_council())) == []


def test_a_seat_whose_model_is_switched_off_is_missed_unless_it_has_a_fallback() -> None:
    council = make_council(seats=3)
    seat = council.members.get(agent_id="agent_3")
    seat.model.is_active = False
    seat.model.save()
    assert council_problems(loaded(council))[0] == "The council needs at least 3 answering seats and has 2."

    seat.fallback_model = make_model()
    seat.save()
    assert council_problems(loaded(council)) == []


def test_a_provider_that_is_switched_off_takes_its_models_along() -> None:
    council = make_council(seats=3)
    provider = council.chairman_model.provider
    provider.is_active = False
    provider.save()

    assert "The council has no chairman." in council_problems(loaded(council))


def test_a_draft_is_judged_without_being_stored() -> None:
    model = make_model()
    draft = CouncilConfiguration(name="Draft", slug="draft", chairman_model=model)
    seats = [CouncilMember(agent_id=f"agent_{n}", name=f"Seat {n}", model=model) for n in (1, 2)]

    assert draft_faults(draft, seats, []) != []
    assert draft_faults(draft, [*seats, CouncilMember(agent_id="agent_3", name="Seat 3", model=model)], []) == []
    assert not CouncilConfiguration.objects.exists()


def test_a_fallback_stands_in_for_a_chairman_that_is_switched_off() -> None:
    model, dead = make_model(), make_model(is_active=False)
    draft = CouncilConfiguration(name="Draft", slug="draft", chairman_model=dead)
    seats = [CouncilMember(agent_id=f"agent_{n}", name=f"Seat {n}", model=model) for n in (1, 2, 3)]

    assert [(fault.about, fault.sentence) for fault in draft_faults(draft, seats, [])] == [("chairman", "The council has no chairman.")]
    assert draft_faults(draft, seats, [model]) == []


def test_there_is_one_default_after_any_number_of_choices() -> None:
    first, second = make_council(slug="first"), make_council(slug="second")

    for council in (first, second, second, first):
        make_default(council=council)

    assert list(CouncilConfiguration.objects.filter(is_default=True).values_list("slug", flat=True)) == ["first"]


def test_the_first_council_that_is_switched_on_becomes_the_default() -> None:
    first, second = make_council(slug="first", is_active=False), make_council(slug="second", is_active=False)
    short = make_council(name="Short", slug="short", seats=2, min_models=3, is_active=False)

    done = switch_on(CouncilConfiguration.objects.all())

    assert (done.changed, [name for name, _why in done.refused]) == (2, ["Short"])
    assert set(CouncilConfiguration.objects.active()) == {first, second}
    assert not CouncilConfiguration.objects.get(pk=short.pk).is_active
    assert CouncilConfiguration.objects.get(is_default=True) == first


def test_all_but_the_default_are_switched_off() -> None:
    default, _other = make_council(name="Main", is_default=True), make_council(name="Other")

    done = switch_off(CouncilConfiguration.objects.all())

    assert (done.changed, done.refused) == (1, [("Main", DEFAULT_STAYS_ON)])
    assert list(CouncilConfiguration.objects.active()) == [default]


def test_a_copy_is_whole_and_shares_nothing_with_its_original() -> None:
    council = make_council(seats=3, description="For prices.")
    ChairmanFallback.objects.create(council=council, model=make_model())
    copy = clone_council(council=council)

    copy.members.update(persona="Changed.")

    assert copy.description == "For prices."
    assert copy.chairman_fallbacks.count() == council.chairman_fallbacks.count() == 1
    assert not council.members.filter(persona="Changed.").exists()
    assert council_problems(loaded(copy)) == []


def test_copies_of_long_names_fit() -> None:
    council = make_council(name="n" * 100, slug="s" * 60)

    slugs = {clone_council(council=council).slug for _ in range(3)}

    assert len(slugs) == 3
    assert all(len(slug) <= 60 for slug in slugs)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.PARTIAL])
def test_a_bad_end_needs_attention_for_a_day(status: RunStatus) -> None:
    run = make_run(status=status)
    now = timezone.now()

    assert list(runs_needing_attention(now)) == [run]
    assert list(runs_needing_attention(now + timedelta(days=1, minutes=1))) == []


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.CANCELLED, RunStatus.RUNNING, RunStatus.QUEUED])
def test_what_goes_as_it_should_needs_no_attention(status: RunStatus) -> None:
    make_run(status=status)

    assert not runs_needing_attention(timezone.now()).exists()


def test_a_run_that_should_have_ended_needs_attention() -> None:
    run = make_run(status=RunStatus.RUNNING)
    overdue = run.created_at + timedelta(seconds=settings.RUN_DEADLINE_S) + GRACE

    assert list(runs_needing_attention(overdue + timedelta(seconds=1))) == [run]
    assert not runs_needing_attention(overdue - timedelta(seconds=1)).exists()
    assert CouncilRun.objects.count() == 1
