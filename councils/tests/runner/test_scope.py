"""Every line that is written for a run says so, and for a call which."""

import logging
from typing import Any

import pytest

from councils.engine.outcome import conclude
from councils.engine.panel import final_tally
from councils.runner.host import EngineHost
from councils.telemetry import scope
from councils.tests.durability.support import Asker, ended

heard: list[dict[str, str]] = []


class Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        heard.append(scope.everything())


@pytest.fixture(autouse=True)
def marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in the middle of every call, and one at the end of every run."""
    heard.clear()
    logger = logging.getLogger("councils.marks")
    monkeypatch.setattr(logger, "handlers", [Listener()])
    logger.setLevel(logging.INFO)

    def marked(function: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            logger.info("mark")
            return function(*args, **kwargs)

        return wrapper

    monkeypatch.setattr("councils.runner.attempts.conclude", marked(conclude))
    monkeypatch.setattr("councils.runner.drive.final_tally", marked(final_tally))


def test_lines_of_runs_side_by_side_are_not_mixed_up(ask: Asker, engine: EngineHost) -> None:
    council = ask.council("tokens=20", "tokens=20", "tokens=20")
    runs = [ask.put(council, question=f"Which of {number}?") for number in range(3)]
    for run in runs:
        ended(run)

    for run in runs:
        mine = [ids for ids in heard if ids.get("run") == run.public_id]
        calls = [ids["call"] for ids in mine if "call" in ids]
        assert sorted(calls) == sorted(run.calls.values_list("public_id", flat=True))
        # The end of the run is no call's.
        assert [ids for ids in mine if "call" not in ids] == [{"run": run.public_id}]
    assert len(heard) == sum(run.calls.count() + 1 for run in runs)
