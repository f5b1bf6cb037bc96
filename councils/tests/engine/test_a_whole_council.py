"""Whole deliberations, from nothing to the finish, with scripted models: prompt, reply, ballot, tally and action fit together."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from councils.engine.deliberation import CountVotes, Finish, StartCall, StepState, count_votes, next_actions
from councils.engine.fences import parse_fences
from councils.engine.outcome import conclude
from councils.engine.prompts import PreparedCall, prepare
from councils.engine.types import BallotRung, ChairmanMode, CouncilSpec, Mark, RunStatus, Stage, StepStatus, VotingSystem
from councils.tests.engine.builders import make_spec

Model = Callable[[PreparedCall], str]


@dataclass
class Host:
    """The smallest host that can carry out a run: every call answers at once."""

    spec: CouncilSpec
    models: dict[Stage, Model]
    steps: dict[str, StepState] = field(default_factory=dict)
    calls: list[PreparedCall] = field(default_factory=list)

    def run(self) -> Finish:
        while True:
            for action in next_actions(self.spec, self.steps, elapsed_s=1.0):
                if isinstance(action, Finish):
                    return action
                if isinstance(action, CountVotes):
                    tally = count_votes(self.spec, action.key, self.steps)
                    self.steps[action.key] = StepState(key=action.key, status=StepStatus.DONE, tally=tally)
                else:
                    assert isinstance(action, StartCall), action
                    self.steps[action.key] = self.call(action)

    def call(self, action: StartCall) -> StepState:
        prepared = prepare(self.spec, action.key, self.steps, question="How many moons has Mars?")
        result = conclude(self.spec, prepared, self.ask(prepared), repaired=False)
        if result.repair is not None:
            result = conclude(self.spec, result.repair, self.ask(result.repair), repaired=True)
        return StepState(
            key=action.key, status=result.status, text=result.text, ballot=result.ballot, error_kind=result.error_kind, latency_s=1.0
        )

    def ask(self, prepared: PreparedCall) -> str:
        self.calls.append(prepared)
        return self.models[prepared.stage](prepared)


def answer_by_number(prepared: PreparedCall) -> str:
    return f"Mars has {prepared.agent_id.removeprefix('agent_')} moons."


def judge_by_text(prepared: PreparedCall) -> str:
    """A reviewer that reads: the answer that says 2 is right, the nearer a number the better."""
    answers = [block for block in parse_fences(prepared.messages[1].content) if block.kind == "answer"]
    rows = [{"agent_id": b.label, "reasoning": "counted", "score": max(1, 9 - 2 * abs(int(b.text.split()[2]) - 2))} for b in answers]
    return json.dumps({"rankings": rows})


def write_best(prepared: PreparedCall) -> str:
    return next(block.text for block in parse_fences(prepared.messages[1].content) if block.kind == "answer")


def make_host(spec: CouncilSpec, *, opinion: Model = answer_by_number, review: Model = judge_by_text, chairman: Model = write_best) -> Host:
    return Host(spec, {Stage.OPINIONS: opinion, Stage.REVIEW: review, Stage.SYNTHESIS: chairman})


@pytest.mark.parametrize("system", list(VotingSystem))
@pytest.mark.parametrize("mode", list(ChairmanMode))
@pytest.mark.parametrize("anonymous", [True, False])
def test_a_council_of_honest_models_finds_the_right_answer(system: VotingSystem, mode: ChairmanMode, anonymous: bool) -> None:
    host = make_host(make_spec(voting_system=system, chairman_mode=mode, anonymous=anonymous))

    end = host.run()

    assert (end.status, end.answer) == (RunStatus.SUCCEEDED, "Mars has 2 moons.")
    assert end.answer_by == ("agent_2" if mode is ChairmanMode.SELECT_BEST else "chairman")
    assert len(host.calls) == 4 + 4 + (mode is not ChairmanMode.SELECT_BEST)


def test_a_reviewer_that_needs_a_second_try_is_counted_and_its_ballot_says_so() -> None:
    host = make_host(make_spec(), review=lambda prepared: "All are nice." if len(prepared.messages) == 2 else judge_by_text(prepared))

    assert host.run().status is RunStatus.SUCCEEDED
    ballots = [step.ballot for step in host.steps.values() if step.ballot]
    assert [ballot.rung for ballot in ballots] == [BallotRung.REPAIR_CALL] * 4


def test_reviewers_that_never_vote_leave_the_chairman_alone() -> None:
    end = make_host(make_spec(), review=lambda _: "All are nice.").run()

    assert (end.status, end.answer_by) == (RunStatus.PARTIAL, "chairman")
    assert Mark.UNREVIEWED in end.marks


def test_a_chairman_that_only_thinks_leaves_the_first_choice_verbatim() -> None:
    end = make_host(make_spec(), chairman=lambda _: "<think>hm</think>").run()

    assert (end.status, end.answer, end.answer_by) == (RunStatus.PARTIAL, "Mars has 2 moons.", "agent_2")


def test_a_council_whose_models_all_fall_silent_fails_with_reasons() -> None:
    end = make_host(make_spec(), opinion=lambda _: "").run()

    assert end.status is RunStatus.FAILED
    assert str(end.reason).count("(empty answer)") == 4


def test_members_that_are_persuaded_in_the_extra_round_change_the_outcome() -> None:
    """At first every reviewer likes the first answer it sees. Then agent_4 finds the right one, and the second vote is honest."""

    def judge(prepared: PreparedCall) -> str:
        if prepared.key.endswith(":2"):
            return judge_by_text(prepared)
        scores = {label: 9 - place * 3 for place, label in enumerate(prepared.labels)}
        return json.dumps(scores)

    def answer(prepared: PreparedCall) -> str:
        if not prepared.key.endswith(":2"):
            return f"Mars has {int(prepared.agent_id[-1]) + 3} moons."
        return "Mars has 2 moons." if prepared.agent_id == "agent_4" else "KEEP"

    host = make_host(make_spec(voting_system=VotingSystem.CONSENSUS, extra_round=True), opinion=answer, review=judge)

    assert host.run().answer == "Mars has 2 moons."
    assert "tally:2" in host.steps


def test_the_same_council_asked_again_sends_the_same_prompts() -> None:
    first, second = make_host(make_spec()), make_host(make_spec())

    assert first.run() == second.run()
    assert first.calls == second.calls
