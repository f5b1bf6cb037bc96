"""The voting methods against published and computed figures, and the properties that a fair count must have."""

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.engine.agreement import agreement, mean_pairwise_agreement, within_group_agreement
from councils.engine.leniency import fit
from councils.engine.methods import RunOff, has_cycle, pairwise
from councils.engine.tally import TallyResult, ballot_from_json, ballot_to_json, count
from councils.engine.types import Ballot, BallotRung, Verdict, VotingSystem
from councils.tests.engine.builders import make_ballot, scored_ballot

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "voting_vectors.json").read_text())["voting_and_consensus"]
NAMED = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
SCORED = next(vector for vector in VECTORS if vector["name"] == "scores_selfexcl4")

RANKED, WEIGHTED, CONSENSUS = VotingSystem.RANKED_CHOICE, VotingSystem.WEIGHTED, VotingSystem.CONSENSUS


def ballots_of(vector: dict[str, Any], **weights: float) -> list[Ballot]:
    return [
        Ballot(
            reviewer=ballot["reviewer"],
            tiers=tuple(tuple(tier) for tier in ballot["tiers"]),
            weight=weights.get(ballot["reviewer"], ballot["weight"]),
            verdicts=tuple(Verdict(agent_id=a, score=s) for a, s in vector.get("scores", {}).get(ballot["reviewer"], {}).items()),
        )
        for ballot in vector["ballots"]
    ]


def count_vector(vector: dict[str, Any], system: VotingSystem = RANKED) -> TallyResult:
    return count(system, vector["candidates"], ballots_of(vector), seed="test")


def fractions(values: dict[str, Any]) -> dict[str, Fraction]:
    return {name: Fraction(value["frac"] if isinstance(value, dict) else value) for name, value in values.items()}


@NAMED
def test_the_run_off_drops_who_the_vector_says_round_by_round(vector: dict[str, Any]) -> None:
    result = count_vector(vector)

    assert list(result.order) == vector["expected"]["irv_order"]
    assert [dict(round_.shares) for round_ in result.rounds] == [fractions(shares) for shares in vector["expected"]["irv_rounds"]]
    assert [round_.dropped for round_ in result.rounds] == vector["expected"]["irv_order"][:0:-1]


@NAMED
def test_pairwise_weights_are_those_of_the_vector(vector: dict[str, Any]) -> None:
    matrix = count_vector(vector).pairwise

    flat = {f"{one}>{other}": float(weight) for one, row in matrix.items() for other, weight in row.items()}
    assert flat == vector["expected"]["pairwise"]


@NAMED
def test_borda_copeland_and_schulze_are_those_of_the_vector(vector: dict[str, Any]) -> None:
    result = count_vector(vector)

    assert result.borda == fractions(vector["expected"]["borda_norm"])
    assert result.copeland == fractions(vector["expected"]["copeland_norm"])
    assert result.schulze_wins == vector["expected"]["schulze_wins"]


@NAMED
def test_agreement_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    expected = vector["expected"]["agreement_u"]

    u, compared = mean_pairwise_agreement(ballots_of(vector))

    assert u == (None if expected is None else Fraction(expected["frac"]))
    assert (compared == 0) is (expected is None)


@NAMED
def test_the_consensus_score_is_never_negative_and_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    score = agreement(ballots_of(vector)).score

    assert (None if score is None else float(score)) == pytest.approx(vector["expected"]["consensus_score"], abs=1e-6)


def test_weighted_values_and_leniency_match_the_published_regression() -> None:
    result = count_vector(SCORED, WEIGHTED).to_json()

    assert result["weighted"] == pytest.approx(SCORED["expected"]["weighted_ls_lambda0_1_equal"])
    assert result["leniency"] == pytest.approx(SCORED["expected"]["reviewer_leniency_lambda0_1"])


@pytest.mark.parametrize(
    ("name", "weights", "absent", "ridge"),
    [
        ("weighted_ls_lambda0_1_weights_A2_B1_C1_D05", {"A": 2.0, "D": 0.5}, "", Fraction(1, 10)),
        ("weighted_ls_lambda0_1_D_failed", {}, "D", Fraction(1, 10)),
        # Without a ridge the system has no single solution; the limit for a vanishing one is the least-squares answer.
        ("weighted_ls_lambda0_equal", {}, "", Fraction(1, 10**12)),
    ],
)
def test_weighted_values_follow_weights_failures_and_the_ridge(name: str, weights: dict[str, float], absent: str, ridge: Fraction) -> None:
    ballots = [ballot for ballot in ballots_of(SCORED, **weights) if ballot.reviewer != absent]

    fitted = fit(SCORED["candidates"], ballots, ridge=ridge)

    assert fitted is not None
    assert {c: float(value) for c, value in fitted.values.items()} == pytest.approx(SCORED["expected"][name], abs=1e-6)


def test_within_group_agreement_of_scores_matches_the_vector() -> None:
    within = within_group_agreement(ballots_of(SCORED))

    assert within is not None
    assert float(within) == pytest.approx(SCORED["expected"]["rwg_mean"], abs=1e-6)


def test_where_no_two_reviewers_ranked_the_same_pair_the_scores_give_the_agreement() -> None:
    # Three members, none sees its own answer: each pair of answers is on one ballot only, each answer on two.
    ballots = [scored_ballot("A", {"B": 8, "C": 4}), scored_ballot("B", {"A": 9, "C": 4}), scored_ballot("C", {"A": 9, "B": 8})]

    agreed = agreement(ballots)

    assert (agreed.method, agreed.score, agreed.word) == ("scores", Fraction(1), "strong")


def test_scores_say_nothing_where_only_one_answer_has_two() -> None:
    assert agreement([scored_ballot("B", {"A": 8, "C": 4}), scored_ballot("C", {"A": 9, "B": 4})]).method == "none"


def test_one_ballot_says_nothing_about_agreement() -> None:
    agreed = agreement([make_ballot("A", "B", "C")])

    assert (agreed.method, agreed.score, agreed.word) == ("none", None, "not measurable")


@pytest.mark.parametrize(("score", "word"), [("3/4", "strong"), ("1/2", "moderate"), ("1/4", "weak"), ("6/25", "none"), ("0", "none")])
def test_agreement_is_put_into_words(score: str, word: str) -> None:
    value = Fraction(score)
    assert replace(agreement([make_ballot("A", "B", "C")]), score=value, method="rankings").word == word


def test_consensus_is_reached_when_two_thirds_prefer_the_winner_to_each_rival() -> None:
    ballots = [make_ballot(name, "A", "B", "C", "D") for name in ("r1", "r2", "r3")]

    assert count(CONSENSUS, ["A", "B", "C", "D"], ballots, seed="s").reached is True


def test_a_consensus_that_is_not_reached_leaves_the_ranked_choice_winner() -> None:
    tennessee = next(vector for vector in VECTORS if vector["name"] == "tennessee")

    result = count_vector(tennessee, CONSENSUS)

    assert result.reached is False
    assert result.winners["copeland"] == "Nashville"
    assert result.winner == result.winners["ranked_choice"] == "Knoxville"


def test_exactly_two_thirds_are_enough() -> None:
    ballots = [make_ballot("1", "A", "B", "C"), make_ballot("2", "A", "B", "C"), make_ballot("3", "B", "A", "C")]

    result = count(CONSENSUS, ["A", "B", "C"], ballots, seed="s")

    assert result.pairwise["A"]["B"] == 2
    assert result.reached is True


def test_an_agreement_of_exactly_one_half_is_enough() -> None:
    result = count(
        CONSENSUS, ["A", "B", "C", "D"], [make_ballot("1", "A", "B", "C", "D"), make_ballot("2", "A", ("B", "C", "D"))], seed="s"
    )

    assert result.agreement.score == Fraction(1, 2)
    assert result.reached is True


def test_consensus_needs_an_agreement_that_can_be_measured() -> None:
    assert count(CONSENSUS, ["A", "B"], [make_ballot("r1", "A", "B")], seed="s").reached is False


def test_reached_is_said_of_consensus_only() -> None:
    assert count(RANKED, ["A", "B"], [make_ballot("r1", "A", "B")], seed="s").reached is None


def test_methods_that_name_another_winner_make_the_result_contested() -> None:
    tennessee = next(vector for vector in VECTORS if vector["name"] == "tennessee")

    result = count_vector(tennessee)

    assert result.contested
    assert result.winners == {
        "ranked_choice": "Knoxville",
        "weighted": "Nashville",
        "borda": "Nashville",
        "copeland": "Nashville",
        "schulze": "Nashville",
    }
    assert result.margin == Fraction(107, 300) - Fraction(97, 150)


def test_a_tie_that_the_winner_shares_is_no_contest() -> None:
    tied = next(vector for vector in VECTORS if vector["name"] == "selfexcl4_one_dissent")

    assert not count_vector(tied).contested


def test_a_majority_that_goes_round_in_a_circle_is_reported() -> None:
    circle = next(vector for vector in VECTORS if vector["name"] == "condorcet_cycle")

    assert count_vector(circle).has_cycle


def test_a_circle_below_a_clear_winner_is_found_too() -> None:
    ballots = [make_ballot("1", "W", "A", "B", "C"), make_ballot("2", "W", "B", "C", "A"), make_ballot("3", "W", "C", "A", "B")]

    assert has_cycle(pairwise(["W", "A", "B", "C"], ballots))


def test_one_answer_without_a_score_leaves_the_weighted_figures_out() -> None:
    ballots = [scored_ballot("1", {"A": 9, "B": 5}), make_ballot("2", "C", "A")]

    assert count(WEIGHTED, ["A", "B", "C"], ballots, seed="s").weighted is None


def test_weighted_without_scores_for_every_answer_orders_by_borda() -> None:
    ballots = [make_ballot("1", "A", "B", "C"), make_ballot("2", "A", "B", "C")]

    result = count(WEIGHTED, ["A", "B", "C"], ballots, seed="s")

    assert (result.weighted, result.leniency) == (None, None)
    assert result.order == ("A", "B", "C")


def test_a_lenient_reviewer_does_not_lift_the_answers_it_happened_to_see() -> None:
    # r1 gives everything 3 more. B was seen by r1 only, A by both: raw means would put B above A.
    ballots = [scored_ballot("r1", {"A": 10, "B": 9}), scored_ballot("r2", {"A": 6, "C": 5}), scored_ballot("r3", {"B": 5, "C": 5})]

    assert count(WEIGHTED, ["A", "B", "C"], ballots, seed="s").winner == "A"


def test_counting_without_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to vote on"):
        count(RANKED, [], [], seed="s")


def test_a_single_answer_wins_without_rounds_or_margin() -> None:
    result = count(RANKED, ["A"], [], seed="s")

    assert (result.winner, result.rounds, result.margin, result.contested) == ("A", (), None, False)


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_all_methods_break_a_complete_tie_alike_and_by_the_seed(seed: str) -> None:
    ballots = [make_ballot("1", "A", "B"), make_ballot("2", "B", "A")]

    result = count(RANKED, ["A", "B"], ballots, seed=seed)

    assert set(result.winners.values()) == {min("AB", key=lambda c: -int(sha256(f"{seed}:{c}".encode()).hexdigest(), 16))}


def test_among_equals_in_shares_and_borda_who_wins_fewer_duels_is_dropped() -> None:
    level = {"A": Fraction(1, 2), "B": Fraction(1, 2), "C": Fraction(1, 2)}
    matrix = {
        "A": {"B": Fraction(2), "C": Fraction(2)},
        "B": {"A": Fraction(1), "C": Fraction(2)},
        "C": {"A": Fraction(1), "B": Fraction(1)},
    }

    for names in permutations("ABC"):
        renamed = dict(zip("ABC", names, strict=True))
        duels = {renamed[one]: {renamed[other]: weight for other, weight in row.items()} for one, row in matrix.items()}
        assert RunOff("ABC", [], borda=level, matrix=duels, seed="s").order == names


def test_answers_that_no_longer_stand_are_taken_off_the_ballots() -> None:
    result = count(RANKED, ["A", "B"], [make_ballot("r", "X", "B", "A")], seed="s")

    assert result.order == ("B", "A")


def test_counted_and_cast_ballots_are_kept_apart() -> None:
    result = count(RANKED, ["A", "B"], [make_ballot("r", "A", "B")], seed="s", cast=3)

    assert (result.counted, result.cast) == (1, 3)


@NAMED
@pytest.mark.parametrize("system", list(VotingSystem))
def test_a_result_survives_json(vector: dict[str, Any], system: VotingSystem) -> None:
    stored = json.loads(json.dumps(count_vector(vector, system).to_json()))

    assert TallyResult.from_json(stored).to_json() == stored


def test_a_ballot_survives_json() -> None:
    ballot = replace(scored_ballot("r", {"A": 7.5, "B": 7.5, "C": 2}, weight=0.1), rung=BallotRung.PROSE)

    assert ballot_from_json(json.loads(json.dumps(ballot_to_json(ballot)))) == ballot


# Properties

ANSWERS = ("agent_1", "agent_2", "agent_3", "agent_4", "agent_5")


@st.composite
def elections(draw: st.DrawFn) -> list[Ballot]:
    """Ballots of a council of five in which nobody sees its own answer; with ties, scores and unequal weights."""
    voters = draw(st.lists(st.sampled_from(ANSWERS), min_size=2, unique=True))
    score, weight = st.integers(1, 10), st.sampled_from((0.5, 1.0, 2.0))
    return [scored_ballot(v, {a: draw(score) for a in ANSWERS if a != v}, weight=draw(weight)) for v in voters]


def relabelled(ballot: Ballot, names: dict[str, str]) -> Ballot:
    return replace(
        ballot,
        tiers=tuple(tuple(names[answer] for answer in tier) for tier in ballot.tiers),
        verdicts=tuple(replace(verdict, agent_id=names[verdict.agent_id]) for verdict in ballot.verdicts),
    )


@given(ballots=elections(), new=st.permutations(ANSWERS), system=st.sampled_from(VotingSystem))
def test_other_names_for_the_answers_change_no_figure(ballots: list[Ballot], new: list[str], system: VotingSystem) -> None:
    names = dict(zip(ANSWERS, new, strict=True))

    before = count(system, ANSWERS, ballots, seed="s")
    after = count(system, ANSWERS, [relabelled(ballot, names) for ballot in ballots], seed="s")

    assert {names[a]: value for a, value in before.borda.items()} == after.borda
    assert {names[a]: value for a, value in before.copeland.items()} == after.copeland
    assert {names[a]: value for a, value in before.schulze_wins.items()} == after.schulze_wins
    assert (before.agreement, before.has_cycle) == (after.agreement, after.has_cycle)
    if before.weighted is not None and after.weighted is not None:
        assert {names[a]: value for a, value in before.weighted.items()} == after.weighted


@given(ballots=elections(), data=st.data(), system=st.sampled_from(VotingSystem))
def test_the_order_in_which_ballots_and_answers_come_does_not_matter(
    ballots: list[Ballot], data: st.DataObject, system: VotingSystem
) -> None:
    shuffled, answers = data.draw(st.permutations(ballots)), data.draw(st.permutations(ANSWERS))

    assert count(system, answers, shuffled, seed="s") == count(system, ANSWERS, ballots, seed="s")


@given(ballots=elections(), factor=st.sampled_from((0.5, 3.0)), system=st.sampled_from((RANKED, CONSENSUS)))
def test_only_the_proportion_of_weights_counts(ballots: list[Ballot], factor: float, system: VotingSystem) -> None:
    heavier = [replace(ballot, weight=ballot.weight * factor) for ballot in ballots]

    assert count(system, ANSWERS, heavier, seed="s").order == count(system, ANSWERS, ballots, seed="s").order


@given(
    order=st.permutations(ANSWERS), voters=st.lists(st.sampled_from(ANSWERS), min_size=3, unique=True), system=st.sampled_from(VotingSystem)
)
def test_a_unanimous_panel_gets_its_order_whoever_fails_to_vote(order: list[str], voters: list[str], system: VotingSystem) -> None:
    ballots = [scored_ballot(voter, {a: 9 - order.index(a) for a in order if a != voter}) for voter in voters]

    result = count(system, ANSWERS, ballots, seed="s")

    assert result.winner == order[0]
    if system is not WEIGHTED:
        assert list(result.order) == order
    assert result.agreement.score in {None, 1}
    assert not result.has_cycle


@given(ballots=elections())
def test_agreement_lies_between_minus_one_and_one(ballots: list[Ballot]) -> None:
    agreed = agreement(ballots)

    assert agreed.u is None or -1 <= agreed.u <= 1
    assert agreed.score is None or 0 <= agreed.score <= 1


@given(ballots=elections(), system=st.sampled_from(VotingSystem))
def test_every_answer_is_ranked_once_and_shares_are_shares(ballots: list[Ballot], system: VotingSystem) -> None:
    result = count(system, ANSWERS, ballots, seed="s")

    assert sorted(result.order) == sorted(ANSWERS)
    assert all(0 <= share <= 1 for round_ in result.rounds for share in round_.shares.values())
    assert result.winner == result.order[0]


def every_profile(voters: Sequence[str], answers: Sequence[str]) -> list[tuple[Ballot, ...]]:
    """All ways in which these voters can rank the answers of the others."""
    orders = [[make_ballot(voter, *order) for order in permutations(a for a in answers if a != voter)] for voter in voters]
    return list(product(*orders))


def test_a_reviewer_that_fails_gives_no_advantage_to_its_own_answer() -> None:
    """Over all ballots that the other three can cast, the answer of the failed fourth wins a fair quarter (45 % with summed points)."""
    answers = ANSWERS[:4]
    profiles = every_profile(answers[:3], answers)

    won = sum(count(RANKED, answers, profile, seed="s").winner == "agent_4" for profile in profiles)

    assert won / len(profiles) == pytest.approx(0.25, abs=0.06)


def test_a_mean_of_points_does_not_rise_with_the_number_of_ballots_an_answer_is_on() -> None:
    # agent_4 did not vote, so its answer is on three ballots and the others on two; all are last or first equally often.
    ballots = [make_ballot("agent_1", "agent_2", "agent_4", "agent_3"), make_ballot("agent_2", "agent_3", "agent_4", "agent_1")]
    result = count(RANKED, ANSWERS[:4], [*ballots, make_ballot("agent_3", "agent_1", "agent_4", "agent_2")], seed="s")

    assert set(result.borda.values()) == {Fraction(1, 2)}


@pytest.mark.parametrize("system", [RANKED, CONSENSUS])
@pytest.mark.parametrize(("size", "captured"), [(5, 1), (7, 2)])
@given(data=st.data())
def test_captured_reviewers_never_flip_an_honest_unanimous_winner(
    size: int, captured: int, system: VotingSystem, data: st.DataObject
) -> None:
    """The honest agree on the winner and on nothing else; the captured, and the winner's author, may vote in any way."""
    answers = [f"agent_{number}" for number in range(1, size + 1)]
    winner = data.draw(st.sampled_from(answers), label="winner")
    bought = data.draw(st.lists(st.sampled_from(answers), min_size=captured, max_size=captured, unique=True), label="captured")
    ballots = []
    for voter in answers:
        order = data.draw(st.permutations([answer for answer in answers if answer != voter]), label=voter)
        if voter not in bought:
            order.sort(key=lambda answer: answer != winner)
        ballots.append(make_ballot(voter, *order))

    assert count(system, answers, ballots, seed="s").winner == winner
