"""What scripted seats say: a plain good answer or ballot, and what is laid over it by one test."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from councils.engine.types import CompletionRequest
from councils.models import CouncilConfiguration, CouncilRun
from councils.providers.scripted import Answer, AnswerFunction, ScriptedProvider


@dataclass(frozen=True, slots=True)
class Scripted:
    """A council whose models follow a script."""

    provider: ScriptedProvider
    council: CouncilConfiguration
    ask: Callable[[], CouncilRun]

    def asked(self, name: str) -> list[CompletionRequest]:
        return self.provider.calls_of(f"fake:name={name}")


def ballot_for(request: CompletionRequest) -> str:
    """A valid ballot over the labels that this review was shown."""
    assert request.schema is not None
    labels = request.schema["properties"]["rankings"]["items"]["properties"]["agent_id"]["enum"]
    return json.dumps({"rankings": [{"agent_id": label, "reasoning": "Clear.", "score": 9 - n} for n, label in enumerate(labels)]})


def is_review(request: CompletionRequest) -> bool:
    return "rankings" in str(request.schema) or any("rankings" in message.content for message in request.messages)


def by_seat(request: CompletionRequest, call: int) -> Answer:
    """A ballot for a review, else an answer that names its model."""
    return ballot_for(request) if request.schema is not None else f"The answer of {name_of(request)}."


def name_of(request: CompletionRequest) -> str:
    return request.model.removeprefix("fake:name=")


def except_for(name: str, behaviour: AnswerFunction) -> AnswerFunction:
    """All seats are good, and this model follows its own script."""

    def answer(request: CompletionRequest, call: int) -> Answer:
        return behaviour(request, call) if name_of(request) == name else by_seat(request, call)

    return answer
