"""A whole run, from the first word to the answer, played to a page: rows in the database, frames on the socket."""

from collections.abc import Iterator, Sequence

from councils.engine.tally import ballot_to_json, count
from councils.engine.types import RunStatus, Stage, StepStatus, VotingSystem
from councils.models import CouncilConfiguration, CouncilRun, ModelCall, RunStep, User
from councils.tests.browser.support import PlayedSocket
from councils.tests.factories import RunPlan, add_step, make_ballot, make_run

WORDS = "It depends on **who** pays: an annual plan hides the problem for a year, so ask twenty leavers first.\n\n"
PIECE = 24


class PlayedRun:
    """``seats`` members who write ``chars`` characters each. ``play`` yields after each step so that the page can live."""

    def __init__(self, owner: User, council: CouncilConfiguration, socket: PlayedSocket, *, chars: int = 900) -> None:
        self.run = make_run(
            owner=owner, council=council, status=RunStatus.RUNNING, plan=RunPlan(opinions=[StepStatus.RUNNING] * council.members.count())
        )
        self.agents = [seat["agent_id"] for seat in self.run.spec_seats()]
        self.text = (WORDS * (chars // len(WORDS) + 1))[:chars]
        self._socket = socket

    def play(self) -> Iterator[str]:
        """What has just happened: ``opinions``, ``review``, ``tally``, ``synthesis`` and ``end`` are the changes of stage."""
        yield from self._write([f"opinion:{agent}" for agent in self.agents])
        for agent in self.agents:
            self._finish(f"opinion:{agent}", text=self.text)
            yield self._tell("opinion_completed", f"opinion:{agent}")
        yield "opinions"
        for agent in self.agents:
            add_step(self.run, f"review:{agent}", Stage.REVIEW, StepStatus.RUNNING)
            yield self._tell("call_started", f"review:{agent}")
        yield "review"
        ballots = [make_ballot(agent, [other for other in self.agents if other != agent]) for agent in self.agents]
        for ballot in ballots:
            self._finish(f"review:{ballot.reviewer}", payload={"ballot": ballot_to_json(ballot)})
            yield self._tell("ballot_counted", f"review:{ballot.reviewer}")
        tally = count(VotingSystem.RANKED_CHOICE, self.agents, ballots, seed="fixed", cast=len(ballots))
        RunStep.objects.create(run=self.run, key="tally", stage=Stage.REVIEW.value, status=StepStatus.DONE.value, payload=tally.to_json())
        self._tell("tally_computed", "tally")
        yield "tally"
        add_step(self.run, "synthesis", Stage.SYNTHESIS, StepStatus.RUNNING)
        self._tell("call_started", "synthesis")
        yield "synthesis"
        yield from self._write(["synthesis"])
        self._finish("synthesis", text=self.text)
        self._end()
        yield "end"

    def _write(self, keys: Sequence[str]) -> Iterator[str]:
        for offset in range(0, len(self.text), PIECE):
            self._socket.delta(*((key, 1, offset, self.text[offset : offset + PIECE]) for key in keys))
            yield "text"

    def _finish(self, key: str, **fields: object) -> None:
        RunStep.objects.filter(run=self.run, key=key).update(status=StepStatus.DONE.value, latency_ms=8100, **fields)
        ModelCall.objects.filter(run=self.run, step__key=key).update(status="done", completion_tokens=412, cost_usd="0.000944")

    def _end(self) -> None:
        changes = {"status": RunStatus.SUCCEEDED.value, "answer": self.text, "answer_by": "chairman", "finished_at": self.run.created_at}
        CouncilRun.objects.filter(pk=self.run.pk).update(**changes)
        self._tell("run_finished", "")

    def _tell(self, kind: str, key: str) -> str:
        seq = self.run.next_seq
        self.run.next_seq += 1
        CouncilRun.objects.filter(pk=self.run.pk).update(next_seq=self.run.next_seq)
        self._socket.event(seq, kind, key)
        return kind
