"""Whole stages of the engine over the fake provider: its ballots count, whatever the mode and the dialect."""

from collections.abc import Callable

import pytest

from councils.engine.deliberation import StepState
from councils.engine.outcome import conclude
from councils.engine.prompts import DEFAULT_PROMPTS, prepare
from councils.engine.types import Ballot, CompletionRequest, CouncilSpec, Seat, StepStatus, StructuredMode
from councils.providers.endpoint import EndpointKind
from councils.providers.streaming import HttpProvider
from councils.tests.providers.support import PATIENT, collect

ProviderMaker = Callable[[EndpointKind], HttpProvider]
AGENTS = ("agent_1", "agent_2", "agent_3", "agent_4")


def council(model: str) -> CouncilSpec:
    seats = tuple(Seat(agent_id=agent, name=agent, model=model) for agent in AGENTS)
    return CouncilSpec(name="On the fake", seed="seed", seats=seats, chairman=(model,), prompts=DEFAULT_PROMPTS)


def opinions() -> dict[str, StepState]:
    texts = dict(zip(AGENTS, ("Wait a year.", "Raise it now.", "Ask the customers.", "Keep the price."), strict=True))
    keys = {f"opinion:{agent}": text for agent, text in texts.items()}
    return {key: StepState(key=key, status=StepStatus.DONE, text=text, latency_s=1.0) for key, text in keys.items()}


async def vote(provider: HttpProvider, model: str, reviewer: str, mode: StructuredMode) -> Ballot:
    prepared = prepare(council(model), f"review:{reviewer}", opinions(), question="Which is best?")
    asked = CompletionRequest(
        model=model,
        messages=prepared.messages,
        schema=prepared.schema,
        schema_name=prepared.schema_name,
        structured=mode,
        deadlines=PATIENT,
    )
    _, completion = await collect(provider, asked)
    result = conclude(council(model), prepared, completion.text, repaired=False)
    assert result.status is StepStatus.DONE
    assert result.ballot is not None
    return result.ballot


@pytest.mark.parametrize("mode", list(StructuredMode))
@pytest.mark.parametrize("kind", list(EndpointKind))
async def test_a_ballot_of_the_fake_counts_in_every_mode(kind: EndpointKind, mode: StructuredMode, over_socket: ProviderMaker) -> None:
    ballot = await vote(over_socket(kind), "fake:tokens=50", "agent_1", mode)

    assert sorted(ballot.ranked()) == ["agent_2", "agent_3", "agent_4"]


async def test_reviewers_that_agree_show_one_order(over_socket: ProviderMaker) -> None:
    provider = over_socket(EndpointKind.OPENAI)
    ballots = [await vote(provider, "fake:vote=agree", agent, StructuredMode.JSON_SCHEMA) for agent in AGENTS]

    common = max((ballot.ranked() for ballot in ballots), key=len)
    for ballot in ballots:
        shared = [agent for agent in common if agent in ballot.ranked()]
        assert [agent for agent in ballot.ranked() if agent in common] == shared
