"""What is refused before a run begins, each with its own sentence."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from councils.engine.deliberation import spec_problems, validate
from councils.engine.errors import InvalidSpec
from councils.engine.templates import DEFAULT_PROMPTS, PLACEHOLDERS, check_template, fill
from councils.engine.types import CouncilSpec, Stage
from councils.tests.engine.builders import make_seats, make_spec, outside_seat


def with_seat(number: int, **changes: Any) -> CouncilSpec:
    seats = list(make_seats(4))
    seats[number - 1] = replace(seats[number - 1], **changes)
    return make_spec(seats=tuple(seats))


@pytest.mark.parametrize(
    "spec",
    [
        make_spec(),
        make_spec(3, quorum=3),
        make_spec(2, min_models=2, enable_peer_review=False),
        make_spec(1, min_models=1, quorum=1, enable_peer_review=False),
        make_spec(1, min_models=1, quorum=1, enable_peer_review=False, chairman=()),
        make_spec(seats=(*make_seats(2, reviews=False), outside_seat(1), outside_seat(2)), min_models=2),
        make_spec(chairman=("only",)),
    ],
)
def test_a_council_that_can_deliberate_is_accepted(spec: CouncilSpec) -> None:
    validate(spec)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (with_seat(2, agent_id="agent_1"), "The agent id agent_1 is given to 2 seats."),
        (with_seat(1, agent_id="a:b"), "The agent id 'a:b' may hold only letters, digits, dot, hyphen and underscore."),
        (with_seat(1, agent_id=""), "The agent id '' may hold only letters, digits, dot, hyphen and underscore."),
        (with_seat(1, weight=0.0), "The weight of Ada Lovelace must be above 0, not 0.0."),
        (with_seat(1, weight=-1.0), "The weight of Ada Lovelace must be above 0, not -1.0."),
        (with_seat(1, weight=float("inf")), "The weight of Ada Lovelace must be above 0, not inf."),
        (with_seat(1, weight=float("nan")), "The weight of Ada Lovelace must be above 0, not nan."),
        (with_seat(1, model=""), "Ada Lovelace has no model."),
        (with_seat(1, answers=False, reviews=False), "Ada Lovelace neither answers nor reviews."),
        (make_spec(2, enable_peer_review=False), "The council needs at least 3 answering seats and has 2."),
        (
            make_spec(seats=(), min_models=0, enable_peer_review=False, quorum=1),
            "The council needs at least 1 answering seats and has 0.",
        ),
        (make_spec(quorum=5), "The quorum is 5, but it must be from 1 to the number of answering seats, 4."),
        (make_spec(quorum=0), "The quorum is 0, but it must be from 1 to the number of answering seats, 4."),
        (make_spec(chairman=()), "The council has no chairman."),
        (make_spec(2, chairman=(), min_models=2, enable_peer_review=False), "The council has no chairman."),
        (make_spec(top_k=0), "The chairman must see at least 1 answer, not 0."),
        (make_spec(stage_deadline_s=0), "Deadlines must be above 0 seconds."),
        (make_spec(run_deadline_s=-1), "Deadlines must be above 0 seconds."),
        (make_spec(soft_deadline_min_s=-1), "Deadlines must be above 0 seconds."),
        (make_spec(seats=make_seats(4, reviews=False)), "A review needs at least 2 reviewers, and the council has 0."),
        (
            make_spec(seats=(replace(make_seats(2)[0], name="Ada"), replace(make_seats(2)[1], name="Blaise")), min_models=2),
            "A reviewer must see at least 2 answers by others, which is not so for Ada, Blaise: add seats or switch the review off.",
        ),
        (make_spec(prompts=replace(DEFAULT_PROMPTS, opinion=" ")), "The opinions prompt is empty."),
        (
            make_spec(prompts=replace(DEFAULT_PROMPTS, review="{question}")),
            "The review prompt lacks {answers}: the answers of the members, each between marks and under a label.",
        ),
        (
            make_spec(prompts=replace(DEFAULT_PROMPTS, synthesis="{question} {answers} {vote}")),
            "The synthesis prompt uses {vote}, which is not known here; it may use {answers}, {critiques}, {question}, {result}.",
        ),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(spec: CouncilSpec, sentence: str) -> None:
    assert sentence in spec_problems(spec)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidSpec) as refused:
        validate(make_spec(quorum=9, chairman=(), top_k=0))

    assert refused.value.detail.count(".") == 3
    assert refused.value.message.startswith("This council cannot deliberate as it is configured. The quorum is 9")


@pytest.mark.parametrize("change", [lambda p: p.opinion, lambda p: p.review, lambda p: p.synthesis])
def test_the_default_prompts_are_short_enough_for_a_very_small_model(change: Callable[[Any], str]) -> None:
    assert len(change(DEFAULT_PROMPTS)) < 200


class TestTemplates:
    @pytest.mark.parametrize("stage", list(Stage))
    def test_a_template_with_all_placeholders_is_accepted(self, stage: Stage) -> None:
        assert check_template(stage, " ".join(f"{{{name}}}" for name in PLACEHOLDERS[stage].known)) == []

    @pytest.mark.parametrize("harmless", ['{"rankings": []}', "{ }", "{}", "{{", "}", "{1}", "{ question }", "$question", "%s"])
    def test_other_braces_are_plain_text(self, harmless: str) -> None:
        template = f"{{question}} {harmless}"

        assert check_template(Stage.OPINIONS, template) == []
        assert fill(template, {"question": "Why?"}) == f"Why? {harmless}"

    @pytest.mark.parametrize("unknown", ["{answer}", "{question!r}", "{question.__class__}", "{question:>9}", "{Question}"])
    def test_what_looks_like_a_placeholder_and_is_none_is_refused(self, unknown: str) -> None:
        (sentence,) = check_template(Stage.OPINIONS, f"{{question}} {unknown}")

        assert unknown in sentence

    def test_values_are_put_in_once_and_never_looked_at_again(self) -> None:
        assert fill("{a} {b}", {"a": "{b}", "b": "{a}"}) == "{b} {a}"

    def test_a_paragraph_that_would_be_empty_is_left_out(self) -> None:
        assert fill("Top\n\n{a}\n\n{b}\n\nEnd", {"a": "", "b": "B"}) == "Top\n\nB\n\nEnd"

    def test_what_is_unknown_stays_as_it_is(self) -> None:
        assert fill("{a} {zzz}", {"a": "A"}) == "A {zzz}"
