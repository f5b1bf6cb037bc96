"""The choice of a council: what it says of each, what can be chosen, and what a first visitor sees."""

from decimal import Decimal

import pytest
from django.test import Client

from councils.models import CouncilConfiguration, CouncilRun, ModelInfo, Provider, User
from councils.tests.factories import make_council, make_run, make_user
from councils.web.choosing import FEW


def words(text: str) -> str:
    """The text without the line breaks that templates leave."""
    return " ".join(text.split())


def radios(text: str) -> list[str]:
    """The slugs in the order of the list."""
    return [part.partition('"')[0] for part in text.split('type="radio"')[1:] for part in [part.partition('value="')[2]]]


@pytest.fixture
def other(council: CouncilConfiguration) -> CouncilConfiguration:
    """A second council, so that there is something to choose."""
    return make_council(name="Second reader", description="Finds faults.", enable_peer_review=False)


def test_each_council_says_what_it_is_for_and_how_it_votes(
    page: Client, council: CouncilConfiguration, other: CouncilConfiguration
) -> None:
    text = words(page.get("/").text)

    assert "Finds faults." in text
    assert "the weakest drops out until one has a majority" in text
    assert "There is no vote: the chairman reads all answers." in text


def test_what_is_not_known_is_called_unknown_with_the_reason(
    page: Client, council: CouncilConfiguration, other: CouncilConfiguration
) -> None:
    text = words(page.get("/").text)

    assert text.count("time unknown") == 2
    assert text.count("cost unknown") == 0
    assert "It has not answered a question yet" in text


def test_expected_cost_and_time_come_from_the_last_questions(
    page: Client, council: CouncilConfiguration, other: CouncilConfiguration
) -> None:
    for cost in ("0.01", "0.02", "0.03", "0.04", "0.05"):
        CouncilRun.objects.filter(pk=make_run(council=council).pk).update(known_cost_usd=Decimal(cost))

    text = words(page.get("/").text)

    assert "about 0.0300 USD" in text
    assert "about 31 s" in text
    assert "the median of its last 5 questions." in text
    assert "Half of them cost 0.0200 USD to 0.0400 USD." in text


def test_questions_without_a_known_cost_say_why(page: Client, council: CouncilConfiguration, other: CouncilConfiguration) -> None:
    make_run(council=council, unknown_costs=1)

    text = words(page.get("/").text)

    assert "cost unknown" not in text
    assert "a model had no price" in text


def test_free_models_are_said_to_cost_nothing(page: Client, council: CouncilConfiguration) -> None:
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)

    text = words(page.get("/").text)

    assert "0 USD" in text
    assert "time unknown" in text
    assert "Its models cost nothing." in text


def test_a_council_that_cannot_be_asked_is_last_disabled_and_never_the_default(
    page: Client, ada: User, council: CouncilConfiguration, other: CouncilConfiguration
) -> None:
    broken = make_council(name="A broken one", quorum=9, is_default=True)
    make_run(owner=ada, council=broken)

    text = page.get("/", {"council": broken.slug}).text

    assert radios(text)[-1] == broken.slug
    assert f'value="{broken.slug}" aria-describedby="council-{broken.pk}-about" disabled' in text
    assert text.count(" checked ") == 1
    assert "Something in its settings must be mended" in text
    assert "The quorum is 9" not in text


def test_staff_read_what_is_wrong_and_where_to_mend_it(client: Client, council: CouncilConfiguration) -> None:
    broken = make_council(quorum=9)
    client.force_login(make_user(is_staff=True))

    text = client.get("/").text

    assert "The quorum is 9" in text
    assert f"/admin/councils/councilconfiguration/{broken.pk}/change/" in text


def test_where_the_only_provider_is_away_a_question_can_be_written_and_not_sent(page: Client, council: CouncilConfiguration) -> None:
    Provider.objects.update(is_active=False)

    text = words(page.get("/").text)

    assert "No council can be asked at present." in text
    assert "Too few of its members can be reached at present." in text
    assert 'id="id_question"' in text
    assert "disabled data-closed" in text


def test_the_only_council_is_named_and_not_chosen(page: Client, council: CouncilConfiguration) -> None:
    text = page.get("/").text

    assert "Which council?" not in text
    assert f'<input type="hidden" name="council" value="{council.slug}">' in text
    assert "4 members" in text


def test_a_long_list_begins_with_the_chosen_one_and_can_be_searched(page: Client, council: CouncilConfiguration) -> None:
    councils = [council, *(make_council(name=f"Council {number}") for number in range(FEW))]

    text = page.get("/", {"council": councils[3].slug}).text

    assert len(radios(text)) == FEW + 1
    assert radios(text)[0] == councils[3].slug
    assert 'class="council-search"' in text


def test_a_refused_question_never_moves_to_another_council_by_itself(
    page: Client, council: CouncilConfiguration, other: CouncilConfiguration
) -> None:
    make_council(name="Third")
    ModelInfo.objects.filter(seats__council=council).update(is_active=False)

    text = page.post("/", {"council": council.slug, "question": "Why?"}).text

    assert " checked " not in text
    assert ">Why?</textarea>" in text


class TestTheFirstVisit:
    def test_shows_examples_that_fill_the_box_without_any_script(self, page: Client, council: CouncilConfiguration) -> None:
        assert 'href="/?example=2"' in page.get("/").text
        assert ">We are six people" in page.get("/", {"example": "2"}).text

    @pytest.mark.parametrize("number", ["0", "4", "-1", "x", "²", ""])
    def test_knows_no_other_examples(self, page: Client, council: CouncilConfiguration, number: str) -> None:
        assert "></textarea>" in page.get("/", {"example": number}).text

    def test_is_over_with_the_first_conversation(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        make_run(owner=ada, council=council)

        assert "example=" not in page.get("/").text
