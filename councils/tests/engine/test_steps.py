"""The names of steps, and the tree of errors."""

import pytest

from councils.engine import errors
from councils.engine.steps import agent_of, author_of, candidate_id, opinion_key, review_key, round_of, stage_of, tally_key
from councils.engine.types import Ballot, CouncilSpec, Stage, Usage, Verdict
from councils.tests.engine.builders import make_spec, outside_seat


@pytest.mark.parametrize(
    ("key", "stage", "agent", "round_"),
    [
        ("opinion:agent_3", Stage.OPINIONS, "agent_3", 1),
        ("opinion:agent_3:2", Stage.OPINIONS, "agent_3", 2),
        ("review:agent_1", Stage.REVIEW, "agent_1", 1),
        ("review:agent_12:2", Stage.REVIEW, "agent_12", 2),
        ("synthesis", Stage.SYNTHESIS, "", 1),
    ],
)
def test_a_key_says_stage_agent_and_round(key: str, stage: Stage, agent: str, round_: int) -> None:
    assert (stage_of(key), agent_of(key), round_of(key)) == (stage, agent, round_)


@pytest.mark.parametrize("round_", [1, 2])
def test_keys_are_written_as_they_are_read(round_: int) -> None:
    for key in (opinion_key("agent_7", round_), review_key("agent_7", round_)):
        assert (agent_of(key), round_of(key)) == ("agent_7", round_)
    assert round_of(tally_key(round_)) == round_
    assert author_of(candidate_id("agent_7", round_)) == "agent_7"


def test_counting_is_no_call() -> None:
    with pytest.raises(KeyError):
        stage_of("tally")


def test_a_spec_tells_who_answers_and_who_reviews() -> None:
    spec: CouncilSpec = make_spec(seats=(*make_spec(2).seats, outside_seat(1)))

    assert [seat.agent_id for seat in spec.answering()] == ["agent_1", "agent_2"]
    assert [seat.agent_id for seat in spec.reviewing()] == ["agent_1", "agent_2", "outside_1"]
    assert spec.seat("outside_1").name == "Outsider 1"
    with pytest.raises(KeyError):
        spec.seat("nobody")


def test_a_ballot_knows_its_order_and_the_scores_that_were_given() -> None:
    verdicts = (Verdict(agent_id="a", score=9), Verdict(agent_id="b", score=None))
    ballot = Ballot(reviewer="r", tiers=(("a",), ("b", "c")), verdicts=verdicts)

    assert ballot.ranked() == ("a", "b", "c")
    assert ballot.scores() == {"a": 9}


@pytest.mark.parametrize(("prompt", "completion", "total"), [(1, 2, 3), (None, 2, None), (1, None, None)])
def test_unknown_usage_is_not_zero(prompt: int | None, completion: int | None, total: int | None) -> None:
    assert Usage(prompt_tokens=prompt, completion_tokens=completion).total_tokens == total


def test_every_error_has_a_kind_of_its_own_and_a_sentence() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CouncilError)]

    assert len({kind.kind for kind in classes}) == len(classes)
    assert all((kind.__doc__ or "").splitlines()[0].endswith(".") for kind in classes)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in classes)


def test_an_error_says_what_it_means_and_then_what_the_provider_said() -> None:
    error = errors.RateLimited("Quota of project 7 used up", retry_after_s=3.0)

    assert str(error) == error.message == "The provider asks us to slow down. Quota of project 7 used up"
    assert (error.retry_after_s, error.retryable, error.fallback) == (3.0, True, True)


def test_what_a_provider_says_is_shortened() -> None:
    assert len(errors.BadRequest("x" * 10_000).detail) == errors.DETAIL_LIMIT
