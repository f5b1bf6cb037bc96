"""``manage.py ask``: a council from the terminal, on the real engine against the fake provider."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from benchmarks.fake.server import Running
from benchmarks.staging import fake_model, stage_council
from councils.engine.steps import agent_of
from councils.engine.types import StepStatus
from councils.local_model import LocalModelError
from councils.management import following
from councils.management.board import Board
from councils.management.commands import ask
from councils.management.screens import JsonScreen, LiveScreen, PlainScreen, picture, summary, tell
from councils.models import CouncilConfiguration, CouncilRun, Provider, RunOrigin, User
from councils.runner.host import EngineHost

SEATS: list[dict[str, Any]] = [{"agent_id": f"agent_{n}", "name": name, "answers": True} for n, name in enumerate(("Ada", "Bo", "Cy"), 1)]
TALLY: dict[str, Any] = {
    "winner": "agent_2",
    "counted": 2,
    "cast": 3,
    "contested": False,
    "agreement": {"score": 0.8, "word": "strong"},
}
END: dict[str, Any] = {
    "type": "run_finished",
    "status": "succeeded",
    "reason": "The chairman wrote this.",
    "answer": "# Blue\n\nIt *scatters*.",
    "prompt_tokens": 1000,
    "completion_tokens": 234,
    "known_cost_usd": "0.0125",
    "unknown_costs": 0,
}


def event(kind: str, key: str, agent_id: str = "", **more: Any) -> dict[str, Any]:
    facts = {"type": kind, "key": key, "agent_id": agent_id, "model": "small", "latency_ms": 1500, "attempt": 1, "substituted": False}
    return facts | more


@pytest.fixture
def board() -> Board:
    return Board.of(SEATS)


class TestTheBoard:
    def test_a_seat_waits_writes_and_has_answered(self, board: Board) -> None:
        line = board.lines["opinion:agent_1"]
        assert (line.who, line.word) == ("Ada", "waits")

        board.take(event("call_started", "opinion:agent_1", "agent_1"))
        board.write("opinion:agent_1", 1, "It sca")
        board.write("opinion:agent_1", 1, "tters.")
        assert (line.word, line.tail) == ("writes", "It scatters.")

        board.take(event("opinion_completed", "opinion:agent_1", "agent_1", text="It scatters."))
        assert (line.word, line.seconds) == ("answered", 1.5)

    def test_a_new_attempt_clears_what_the_last_one_wrote(self, board: Board) -> None:
        board.take(event("call_started", "opinion:agent_1", "agent_1"))
        board.write("opinion:agent_1", 1, "It sca")
        board.write("opinion:agent_1", 2, "Light")

        assert board.lines["opinion:agent_1"].tail == "Light"

    def test_text_after_the_end_of_a_step_changes_nothing(self, board: Board) -> None:
        board.take(event("opinion_failed", "opinion:agent_1", "agent_1", message="It timed out."))
        board.write("opinion:agent_1", 1, "too late")
        board.write("opinion:nobody", 1, "unknown")

        assert board.lines["opinion:agent_1"].tail == ""
        assert "opinion:nobody" not in board.lines

    def test_what_a_model_writes_cannot_command_the_terminal(self, board: Board) -> None:
        board.take(event("call_started", "opinion:agent_1", "agent_1", model="\x1b]0;mine\x07evil"))
        board.write("opinion:agent_1", 1, "\x1b[2J\x9b31mred")

        line = board.lines["opinion:agent_1"]
        assert not {"\x1b", "\x9b", "\x07"} & set(line.tail + line.model)

    def test_a_ballot_is_told_by_names(self, board: Board) -> None:
        ballot = {"tiers": [["agent_2"], ["agent_3", "agent_1:2"]]}
        told = event("ballot_counted", "review:agent_1", "agent_1", text="{}", payload={"ballot": ballot})
        board.take(told)

        assert tell(board, told) == "Ada voted (1.5 s): Bo > Cy = Ada (revised)"


class TestSentences:
    @pytest.mark.parametrize(
        ("kind", "key", "message", "sentence"),
        [
            ("opinion_completed", "opinion:agent_1", "", "Ada answered (1.5 s)"),
            ("opinion_failed", "opinion:agent_2", "It timed out.", "Bo gave no answer (1.5 s): It timed out."),
            ("ballot_rejected", "review:agent_3", "It is prose.", "Cy cast no valid ballot (1.5 s): It is prose."),
            ("synthesis_completed", "synthesis", "", "Chairman wrote the result (1.5 s)"),
            ("step_late", "opinion:agent_1", "", "Ada is late and not waited for (1.5 s)"),
            ("call_started", "opinion:agent_1", "", ""),
        ],
    )
    def test_what_has_happened_is_one_sentence(self, board: Board, kind: str, key: str, message: str, sentence: str) -> None:
        told = event(kind, key, agent_of(key), message=message, text="")
        board.take(told)

        assert tell(board, told) == sentence

    def test_a_retry_says_when_and_why(self, board: Board) -> None:
        told = event("call_failed", "opinion:agent_1", "agent_1", message="The provider has a fault of its own.", retry_in_s=2.0)
        board.take(told)

        assert tell(board, told) == "Ada is asked again in 2 s: The provider has a fault of its own."

    def test_the_tally_is_told_with_its_doubts(self, board: Board) -> None:
        def verdict(**changes: Any) -> str:
            return tell(board, {"type": "tally_computed", "tally": TALLY | changes})

        assert verdict() == "First choice: Bo, by 2 of 3 ballots; agreement strong (0.80)."
        assert verdict(contested=True).endswith("; the methods disagree.")
        assert "agreement not measurable" in verdict(agreement={"score": None, "word": "not measurable"})

    def test_events_of_the_future_are_passed_over(self, board: Board) -> None:
        board.take({"type": "moon_landed"})

        assert tell(board, {"type": "moon_landed"}) == ""

    def test_an_unknown_cost_is_not_told_as_zero(self) -> None:
        assert summary(END) == "Succeeded. The chairman wrote this. 1,234 tokens, 0.0125 USD."
        assert summary(END | {"unknown_costs": 2}).endswith("0.0125 USD and 2 calls of unknown cost.")


class TestScreens:
    def test_in_a_pipe_the_answer_stands_alone(self, board: Board) -> None:
        out: list[str] = []
        progress: list[str] = []
        with PlainScreen(out.append, progress.append) as screen:
            told = event("opinion_completed", "opinion:agent_1", "agent_1", text="It scatters.")
            board.take(told)
            screen.show(board, told)
            screen.show(board, None)
            screen.finish(board, END | {"answer": "Blue.\x1b[2J"})

        assert out == ["Blue.[2J"]
        assert progress == ["Ada answered (1.5 s)", "Succeeded. The chairman wrote this. 1,234 tokens, 0.0125 USD."]

    def test_programs_get_the_events_and_nothing_else(self, board: Board) -> None:
        out: list[str] = []
        with JsonScreen(out.append) as screen:
            screen.show(board, None)
            screen.show(board, END)
            screen.finish(board, END)

        assert [json.loads(line) for line in out] == [END]

    def test_a_terminal_shows_seats_votes_and_the_answer_as_markdown(self, board: Board) -> None:
        paper = StringIO()
        console = Console(file=paper, force_terminal=True, width=100, color_system=None)
        with LiveScreen(console) as screen:
            for told in (
                event("call_started", "opinion:agent_1", "agent_1"),
                event("ballot_counted", "review:agent_1", "agent_1", payload={"ballot": {"tiers": [["agent_2"], ["agent_3"]]}}),
                {"type": "tally_computed", "tally": TALLY},
                event("synthesis_completed", "synthesis", text="# Blue"),
            ):
                board.take(told)
                screen.show(board, told)
            screen.finish(board, END)

        shown = paper.getvalue()
        for text in ("1 · Opinions", "Ada", "writes", "Bo > Cy", "First choice: Bo", "3 · Result", "Blue", "scatters", "Succeeded."):
            assert text in shown
        assert "*scatters*" not in shown

    def test_brackets_of_a_model_are_text_and_not_markup(self, board: Board) -> None:
        board.take(event("call_started", "opinion:agent_1", "agent_1"))
        board.write("opinion:agent_1", 1, "[bold]see[/nothing] [link=http://evil]here")
        paper = StringIO()

        Console(file=paper, width=160).print(picture(board))

        assert "[bold]see[/nothing] [link=http://evil]here" in paper.getvalue()


CouncilOf = Callable[..., CouncilConfiguration]


@pytest.fixture
def council_of(fake_provider: Running, transactional_db: None) -> CouncilOf:
    def make(*behaviours: str, **options: Any) -> CouncilConfiguration:
        return stage_council([fake_model(fake_provider.url, f"{behaviour},name=s{n}") for n, behaviour in enumerate(behaviours)], **options)

    return make


@pytest.fixture
def admin(transactional_db: None) -> User:
    return User.objects.create_superuser("root", password="correct horse battery")


@pytest.fixture
def own_engine(quick_engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    """The engine that the command starts, another one for each test."""
    host = EngineHost()
    monkeypatch.setattr("councils.runner.host._host", host)
    yield host
    assert not host.running


@pytest.mark.usefixtures("admin", "own_engine")
class TestTheCommand:
    def test_it_asks_shows_what_happens_and_prints_the_answer(self, council_of: CouncilOf, admin: User) -> None:
        council_of(*["tokens=20"] * 3)
        out, progress = StringIO(), StringIO()

        call_command("ask", "Why is the sky blue?", stdout=out, stderr=progress)

        run = CouncilRun.objects.get()
        assert (run.status, run.origin, run.owner) == ("succeeded", RunOrigin.CLI, admin)
        assert out.getvalue() == f"{run.answer}\n"
        lines = progress.getvalue().splitlines()
        assert sum("answered" in line for line in lines) == 3
        assert sum("voted" in line for line in lines) == 3
        assert sum(line.startswith("First choice: Seat") for line in lines) == 1
        assert lines[-1].startswith("Succeeded.")

    def test_as_json_it_prints_every_event_and_the_answer_last(self, council_of: CouncilOf) -> None:
        council_of(*["tokens=20"] * 3)
        out = StringIO()

        call_command("ask", "Why?", as_json=True, stdout=out)

        run = CouncilRun.objects.get()
        events = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [event["seq"] for event in events] == list(range(1, run.next_seq))
        assert (events[-1]["type"], events[-1]["answer"]) == ("run_finished", run.answer)

    def test_a_run_that_fails_ends_with_one(self, council_of: CouncilOf) -> None:
        council_of(*["fault=400"] * 3)
        progress = StringIO()

        with pytest.raises(CommandError) as failure:
            call_command("ask", "Why?", stdout=StringIO(), stderr=progress)

        assert failure.value.returncode == 1
        assert "No member answered" in progress.getvalue()

    def test_an_interrupt_cancels_the_run(self, council_of: CouncilOf, monkeypatch: pytest.MonkeyPatch) -> None:
        council_of(*["tokens=2000,rate=20"] * 3)

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(following, "_write", interrupted)

        with pytest.raises(CommandError) as stop:
            call_command("ask", "Why?", stdout=StringIO(), stderr=StringIO())

        assert stop.value.returncode == 130
        run = CouncilRun.objects.get()
        assert run.status == "cancelled"
        assert not run.steps.filter(status=StepStatus.RUNNING.value).exists()
        assert not run.calls.filter(status="sending").exists()

    def test_the_question_may_come_through_a_pipe(self, council_of: CouncilOf, monkeypatch: pytest.MonkeyPatch) -> None:
        council_of(*["tokens=20"] * 3)
        monkeypatch.setattr("sys.stdin", StringIO("Why is the sky blue?\n"))

        call_command("ask", stdout=StringIO(), stderr=StringIO())

        assert CouncilRun.objects.get().message.text == "Why is the sky blue?"


@pytest.mark.usefixtures("own_engine")
class TestWhatItRefuses:
    def refusal(self, *args: str) -> str:
        with pytest.raises(CommandError) as refused:
            call_command("ask", *args, stdout=StringIO(), stderr=StringIO())
        assert not CouncilRun.objects.exists()
        return str(refused.value)

    def test_nobody_to_ask_in_the_name_of(self, transactional_db: None) -> None:
        assert "manage.py createsuperuser" in self.refusal("Why?")

    def test_an_unknown_user_or_council_is_named(self, admin: User, council_of: CouncilOf) -> None:
        council_of(*["tokens=1"] * 3)

        assert self.refusal("Why?", "--user", "nobody") == "There is no user 'nobody' who may sign in."
        assert self.refusal("Why?", "--council", "nosuch") == "There is no council 'nosuch'. Choose one with --council: staged."

    def test_no_council_at_all(self, admin: User) -> None:
        assert self.refusal("Why?") == "There is no default council. Choose one with --council: none."

    def test_an_empty_question(self, admin: User, council_of: CouncilOf) -> None:
        council_of(*["tokens=1"] * 3)

        assert self.refusal("\u200b") == "The question is empty. Write what you want to know."

    def test_a_council_that_cannot_deliberate(self, admin: User, council_of: CouncilOf) -> None:
        council_of("tokens=1")

        assert "at least 3 answering seats" in self.refusal("Why?")


class TestTheLocalModel:
    @pytest.fixture
    def started(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The ports on which a local model was started."""
        ports: list[int] = []

        @contextmanager
        def start(port: int) -> Iterator[None]:
            ports.append(port)
            yield

        monkeypatch.setattr(ask, "start_local_model", start)
        return ports

    @pytest.fixture
    def free_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def local_council(self, port: int) -> CouncilConfiguration:
        council = stage_council([fake_model(f"http://127.0.0.1:{port}", f"name=s{n}") for n in range(3)])
        Provider.objects.update(slug="local")
        return council

    @pytest.mark.django_db
    def test_it_is_started_for_a_council_that_asks_it(self, started: list[int], free_port: int) -> None:
        with ask.local_model_for(self.local_council(free_port)):
            assert started == [free_port]

    @pytest.mark.django_db
    def test_it_is_left_alone_where_it_is_served_already(self, started: list[int], fake_provider: Running) -> None:
        with ask.local_model_for(self.local_council(int(fake_provider.url.rpartition(":")[2]))):
            assert started == []

    @pytest.mark.django_db
    def test_it_is_not_started_for_a_council_of_others(self, started: list[int], free_port: int) -> None:
        council = self.local_council(free_port)
        Provider.objects.update(slug="elsewhere")

        with ask.local_model_for(council):
            assert started == []

    @pytest.mark.usefixtures("admin", "own_engine")
    def test_where_it_cannot_be_started_the_command_says_what_to_do(self, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: int) -> None:
            raise LocalModelError("The local model is not installed.")

        monkeypatch.setattr(ask, "start_local_model", refuse)
        self.local_council(free_port)

        with pytest.raises(CommandError, match="The local model is not installed"):
            call_command("ask", "Why?", stdout=StringIO(), stderr=StringIO())
        assert not CouncilRun.objects.exists()
