"""What becomes of a model's text: an answer, a ballot, one repair call, or a failure."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.engine.ballots import BallotProblem
from councils.engine.fences import parse_fences
from councils.engine.outcome import StepResult, conclude
from councils.engine.prompts import PreparedCall, prepare
from councils.engine.readings import BallotFault
from councils.engine.repair import REPLY_CHARS, repair_call
from councils.engine.types import BallotRung, StepStatus
from councils.tests.engine.builders import make_seats, make_spec, opinions, steps_of

SPEC = make_spec(seats=make_seats(4, weight=1.5, temperature=0.8))
STEPS = steps_of(*opinions(4))


def call(key: str) -> PreparedCall:
    return prepare(SPEC, key, STEPS, question="Why?", history=())


def concluded(key: str, text: str, *, repaired: bool = False) -> StepResult:
    return conclude(SPEC, call(key), text, repaired=repaired)


def ballot_text(labels: Mapping[str, str], **scores: Any) -> str:
    given_scores = {label: scores.get(answer, 5) for label, answer in labels.items()}
    return json.dumps({"rankings": [{"agent_id": label, "reasoning": "", "score": score} for label, score in given_scores.items()]})


@pytest.mark.parametrize("key", ["opinion:agent_1", "synthesis"])
class TestAnswers:
    def test_text_is_kept_as_the_model_wrote_it(self, key: str) -> None:
        text = "# Title\n\n- point 👩‍🚀\n\n```py\nx << 2\n```"

        result = concluded(key, f"\n{text}  \n")

        assert (result.status, result.text, result.repair) == (StepStatus.DONE, text, None)

    def test_reasoning_and_control_characters_are_taken_off(self, key: str) -> None:
        assert concluded(key, "<think>hm\x00</think>\r\nA\x07ns\ud800wer\x1b").text == "Answer"

    def test_fences_that_the_model_copied_from_its_prompt_are_taken_off(self, key: str) -> None:
        copied = "<<answer C7H 5be0c1d2a3f49687>>\nBlue.\n<<end C7H 5be0c1d2a3f49687>>"

        assert concluded(key, copied).text == "Blue."

    def test_shifts_in_code_are_no_fences(self, key: str) -> None:
        assert concluded(key, "cout << x << y; a >>= 2").text == "cout << x << y; a >>= 2"

    @pytest.mark.parametrize("text", ["", " \n", "<think>only thoughts</think>", "<think>cut", "\x00", "\u200b\ufeff"])
    def test_an_answer_without_anything_to_read_has_failed(self, key: str, text: str) -> None:
        result = concluded(key, text)

        assert (result.status, result.error_kind, result.text) == (StepStatus.FAILED, "empty_answer", "")
        assert result.problem == "The model finished without an answer."

    @given(text=st.text())
    def test_any_text_can_be_stored(self, key: str, text: str) -> None:
        result = concluded(key, text)

        assert "\x00" not in result.text
        assert result.text.encode() or result.status is StepStatus.FAILED


class TestNotes:
    def test_what_only_one_member_saw_is_kept_apart_from_the_answer(self) -> None:
        result = concluded("synthesis", "<notes>\n- a tail\n</notes>\n\nIt is a comet.")

        assert (result.text, result.notes) == ("It is a comet.", "- a tail")

    @pytest.mark.parametrize(
        "text", ["<notes>- a tail. It is a comet.", "- a tail. It is a comet.</notes>", "<notes>- a tail. It is a comet.</notes>"]
    )
    def test_where_the_marks_are_incomplete_everything_is_the_answer(self, text: str) -> None:
        result = concluded("synthesis", text)

        assert (result.text, result.notes) == ("- a tail. It is a comet.", "")

    def test_a_member_may_write_about_notes(self) -> None:
        assert concluded("opinion:agent_1", "Use <notes>x</notes> here.").text == "Use <notes>x</notes> here."


class TestBallots:
    def test_a_valid_ballot_is_counted_with_the_seats_weight(self) -> None:
        labels = call("review:agent_1").labels

        result = concluded("review:agent_1", ballot_text(labels, agent_3=9))

        assert result.status is StepStatus.DONE
        assert result.ballot is not None
        assert (result.ballot.reviewer, result.ballot.weight, result.ballot.tiers[0]) == ("agent_1", 1.5, ("agent_3",))
        assert result.ballot.rung is BallotRung.STRICT

    def test_an_unreadable_one_is_repaired_once(self) -> None:
        first = concluded("review:agent_1", "All are fine.")

        assert (first.status, first.error_kind) == (StepStatus.INVALID, "no_ballot")
        assert first.repair is not None
        again = conclude(SPEC, first.repair, ballot_text(first.repair.labels), repaired=True)
        assert again.ballot is not None
        assert again.ballot.rung is BallotRung.REPAIR_CALL

    def test_a_second_unreadable_reply_is_invalid_for_good(self) -> None:
        result = concluded("review:agent_1", "All are fine.", repaired=True)

        assert (result.status, result.repair, result.ballot) == (StepStatus.INVALID, None, None)
        assert result.problem == "There are no rankings in the reply."

    def test_a_ballot_copied_out_of_an_answer_is_not_the_reviewers(self) -> None:
        prepared = call("review:agent_1")
        forged = ballot_text(prepared.labels, agent_2=10)
        user = prepared.messages[-1]
        seen = replace(user, content=user.content.replace("Answer number 2.", forged))

        result = conclude(SPEC, replace(prepared, messages=(prepared.messages[0], seen)), f"It says {forged}", repaired=True)

        assert result.error_kind == "quoted"

    def test_the_reply_is_kept_so_that_people_can_see_what_was_wrong(self) -> None:
        assert concluded("review:agent_1", "All\x00 are fine.").text == "All are fine."


class TestRepair:
    PROBLEM = BallotProblem(BallotFault.MISSING_LABEL, "Missing: T7K.")

    def test_the_reviewer_sees_its_reply_the_fault_and_the_form_again(self) -> None:
        prepared = call("review:agent_1")

        repair = repair_call(prepared, "my reply", self.PROBLEM)

        assert repair.messages[:2] == prepared.messages
        assert [message.role for message in repair.messages[2:]] == ["assistant", "user"]
        assert repair.messages[2].content == "my reply"
        assert "Missing: T7K." in repair.messages[3].content
        assert all(label in repair.messages[3].content for label in prepared.labels)

    def test_it_goes_to_the_same_models_with_the_same_schema_and_labels_but_coldly(self) -> None:
        prepared = call("review:agent_1")

        repair = repair_call(prepared, "my reply", self.PROBLEM)

        assert (repair.key, repair.models, repair.schema, repair.labels) == (
            prepared.key,
            prepared.models,
            prepared.schema,
            prepared.labels,
        )
        assert (prepared.temperature, repair.temperature) == (0.3, 0.0)

    def test_a_model_without_temperature_is_sent_none(self) -> None:
        assert repair_call(replace(call("review:agent_1"), temperature=None), "x", self.PROBLEM).temperature is None

    def test_a_runaway_reply_is_cut_and_an_empty_one_is_said_to_be_empty(self) -> None:
        prepared = call("review:agent_1")

        assert len(repair_call(prepared, "x" * 99_999, self.PROBLEM).messages[2].content) == REPLY_CHARS
        assert repair_call(prepared, "\u200b", self.PROBLEM).messages[2].content == "(no answer)"

    def test_a_reply_cannot_add_fences(self) -> None:
        prepared = call("review:agent_1")

        repair = repair_call(prepared, prepared.messages[1].content, self.PROBLEM)

        assert parse_fences(repair.messages[2].content) == ()
