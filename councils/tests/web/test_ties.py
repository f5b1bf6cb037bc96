"""Equal answers share a place on the page, however the council's fixed rule has put them in order."""

from collections.abc import Sequence

import pytest
from django.test import Client

from councils.engine.tally import TallyResult, count
from councils.engine.types import StepStatus, VotingSystem
from councils.models import CouncilConfiguration, User
from councils.tests.factories import RunPlan, finished_plan, make_ballot, make_council, make_run
from councils.web.ties import shared_places

DONE = StepStatus.DONE


def tally(system: VotingSystem, *orders: Sequence[str], candidates: str = "abc") -> TallyResult:
    """The count of these ballots, read back from its stored form as a page does."""
    ballots = [make_ballot(f"reviewer_{place}", order) for place, order in enumerate(orders)]
    return TallyResult.from_json(count(system, list(candidates), ballots, seed="fixed").to_json())


@pytest.mark.parametrize("system", list(VotingSystem))
def test_answers_in_a_perfect_circle_share_the_first_place(system: VotingSystem) -> None:
    assert shared_places(tally(system, "abc", "bca", "cab")) == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("system", list(VotingSystem))
def test_ballots_that_agree_leave_no_tie(system: VotingSystem) -> None:
    assert shared_places(tally(system, "abc", "abc", "abc")) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("system", list(VotingSystem))
def test_a_tie_at_the_end_leaves_the_winner_alone_and_the_next_place_free(system: VotingSystem) -> None:
    assert shared_places(tally(system, "abc", "acb")) == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize("system", list(VotingSystem))
def test_after_a_shared_place_the_count_goes_on_behind_it(system: VotingSystem) -> None:
    assert shared_places(tally(system, "abc", "bac")) == {"a": 1, "b": 1, "c": 3}


def test_points_that_break_a_tie_of_the_run_off_are_no_lot() -> None:
    places = shared_places(tally(VotingSystem.RANKED_CHOICE, "abcd", "bcad", candidates="abcd"))

    assert (places["b"], places["a"]) == (1, 2)


@pytest.fixture
def tied(page: Client, ada: User) -> str:
    """The page of a run of three members who ranked in a circle."""
    council: CouncilConfiguration = make_council(seats=3)
    run = make_run(owner=ada, council=council, plan=finished_plan(3, orders={1: (2, 3), 2: (3, 1), 3: (1, 2)}))
    return " ".join(page.get(f"/runs/{run.public_id}/").text.split())


def test_a_tie_is_not_shown_as_a_victory(tied: str) -> None:
    assert "are tied by ranked choice; broken by a fixed rule," in tied
    assert "has the council&#x27;s vote" not in tied
    assert "icon-star" not in tied
    assert tied.count("<td>1 =<span") == 3
    assert tied.count("place 1, tied</span>") == 3


def test_whoever_prefers_one_of_those_who_are_tied_prefers_no_other_answer(tied: str) -> None:
    assert "preferred another answer" not in tied
    assert "preferred the answer of" not in tied


def test_a_tie_has_no_lead_and_says_how_it_was_broken(tied: str) -> None:
    assert "<dd>tied</dd>" in tied
    assert "drops out first, then the one that wins fewer duels against them, then one by lot" in tied


def test_a_victory_has_its_star_and_no_word_of_ties(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, plan=RunPlan(opinions=[DONE] * 4, reviews=[DONE] * 4, counted=True, synthesis=DONE))

    text = page.get(f"/runs/{run.public_id}/").text

    assert "icon-star" in text
    assert "Among equals" not in text
