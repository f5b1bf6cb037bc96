"""Councils whose models follow a script: no sockets, so that every point of a run can be tried."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.staging import fake_model, stage_council
from councils.models import CouncilRun, User
from councils.providers.scripted import AnswerFunction, ScriptedProvider
from councils.services.asking import ask_council
from councils.tests.runner.scripts import Scripted, by_seat


@pytest.fixture
def scripted(asker: User, quick_engine: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scripted]:
    """Make a council of scripted seats and ask it, as often as wanted."""

    def stage(script: AnswerFunction = by_seat, *, seats: int = 3, spare: bool = False, **options: Any) -> Scripted:
        provider = ScriptedProvider(script)
        monkeypatch.setattr("councils.runner.attempts.provider_for", lambda endpoint, **_: provider)
        models = [fake_model("http://127.0.0.1:9", f"name=seat{number}") for number in range(1, seats + 1)]
        fallbacks = [fake_model("http://127.0.0.1:9", "name=spare")] * seats if spare else []
        chairmen = [fake_model("http://127.0.0.1:9", f"name={name}") for name in ("chair", "chair2")]
        council = stage_council(models, chairmen=chairmen, fallbacks=fallbacks, **options)

        def ask() -> CouncilRun:
            return ask_council(by=asker, council=council, question="Which is best?")[0]

        return Scripted(provider, council, ask)

    return stage
