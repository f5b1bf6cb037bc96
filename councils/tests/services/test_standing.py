"""Which council is asked when nobody chooses, and what keeps one from being asked."""

import pytest
from django.utils import timezone

from councils.models import CouncilConfiguration, User
from councils.services.standing import Obstacle, default_council, obstacle_of, problem_of
from councils.tests.api.rows import make_council, make_model, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada")


def loaded(council: CouncilConfiguration) -> CouncilConfiguration:
    return CouncilConfiguration.objects.with_details().get(pk=council.pk)


class TestTheDefaultCouncil:
    def test_it_is_the_marked_one(self, ada: User) -> None:
        make_council("first")
        marked = make_council("second", is_default=True)

        assert default_council(ada) == marked

    def test_the_only_one_needs_no_mark(self, ada: User) -> None:
        assert default_council(ada) is None
        only = make_council("only")
        assert default_council(ada) == only

    def test_of_several_without_a_mark_none_is_guessed(self, ada: User) -> None:
        make_council("first")
        make_council("second")

        assert default_council(ada) is None

    def test_one_that_is_switched_off_or_put_away_is_not_it_even_for_staff(self) -> None:
        staff = make_user("staff", is_staff=True)
        make_council("off", is_active=False)
        make_council("old", archived_at=timezone.now())

        assert default_council(staff) is None

    def test_a_marked_one_that_is_switched_off_leaves_the_only_other(self, ada: User) -> None:
        make_council("off", is_active=False)
        other = make_council("on")

        assert default_council(ada) == other


class TestTheProblemOfACouncil:
    def test_one_that_works_has_none(self) -> None:
        assert problem_of(loaded(make_council())) == ""

    def test_one_that_is_switched_off_says_only_that(self) -> None:
        assert problem_of(loaded(make_council(seats=1, is_active=False))) == "It is switched off."
        assert problem_of(loaded(make_council("old", archived_at=timezone.now()))) == "It is switched off."

    def test_every_reason_is_a_sentence(self) -> None:
        problem = problem_of(loaded(make_council(seats=2, quorum=9)))

        assert "needs at least 3 answering seats and has 2." in problem
        assert "The quorum is 9" in problem

    def test_a_chairman_whose_provider_is_switched_off_is_none(self) -> None:
        council = make_council()
        council.chairman_model = make_model("chair", provider="Elsewhere")
        council.chairman_model.provider.is_active = False
        council.chairman_model.provider.save()
        council.save()

        assert problem_of(loaded(council)) == "The council has no chairman."


class TestWhatPeopleAreTold:
    """They do not know the settings, so they hear which kind of obstacle there is."""

    def test_of_one_that_works_nothing(self) -> None:
        assert obstacle_of(loaded(make_council())) is None

    def test_of_one_that_is_switched_off_only_that(self) -> None:
        assert obstacle_of(loaded(make_council(seats=1, is_active=False))) is Obstacle.OFF

    def test_too_few_members_come_before_everything_else(self) -> None:
        council = make_council()
        council.chairman_model.provider.is_active = False
        council.chairman_model.provider.save()

        assert obstacle_of(loaded(council)) is Obstacle.TOO_FEW_MEMBERS

    def test_a_missing_chairman_has_a_word_of_its_own(self) -> None:
        council = make_council()
        council.chairman_model = make_model("chair", provider="Elsewhere")
        council.chairman_model.is_active = False
        council.chairman_model.save()
        council.save()

        assert obstacle_of(loaded(council)) is Obstacle.NO_CHAIRMAN

    def test_all_else_is_a_fault_of_the_settings(self) -> None:
        assert obstacle_of(loaded(make_council(quorum=9))) is Obstacle.FAULT
