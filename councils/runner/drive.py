"""Moving one run from action to action until it ends, or is lost, or is handed back."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from councils.engine.actions import Action, CountVotes, FailStep, Finish, MarkLate, StartCall, Wait
from councils.engine.deliberation import StepState, count_votes, next_actions
from councils.engine.panel import final_tally
from councils.engine.steps import agent_of, stage_of
from councils.engine.types import Stage, StepStatus
from councils.runner.attempts import StepAttempts
from councils.runner.recalling import answer_step
from councils.runner.work import RunWork
from councils.store.calls import StepRef, StepWrite
from councils.store.ownership import Life, LostRun, release
from councils.store.runs import RunEnd, finish_run
from councils.store.steps import mark_late, record_step, save_tally
from councils.telemetry import scope

logger = logging.getLogger(__name__)

OVERDUE = "It took longer than the council waits."


class Driver:
    """One claimed run. ``run`` returns when the run has ended or is not ours any more; cancelling it hands the run back."""

    def __init__(self, work: RunWork) -> None:
        self.work = work
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._lost = False

    async def run(self) -> None:
        """Drive it, and have every line of the log that is written for it say so."""
        with scope.working_on("run", self.work.claim.public_id):
            try:
                await self._drive()
            finally:
                self.work.watch.close()

    async def _drive(self) -> None:
        try:
            while await self._act(next_actions(self.work.spec, self._view(), elapsed_s=self.work.elapsed_s())):
                self._reap()
        except LostRun:
            logger.info("run lost to another owner", extra={"run": self.work.claim.public_id})
        except asyncio.CancelledError:
            await self._stop_calls()
            await self.work.writer(release, self.work.claim, elapsed_ms=self._elapsed_ms())
            raise
        finally:
            await self._stop_calls()
            if self._lost:
                self.work.broadcast.changed()
            self.work.broadcast.close()

    def life(self) -> Life:
        """The sign that this run's owner lives."""
        return Life(self.work.claim, self._elapsed_ms())

    def lose(self) -> None:
        """The run was taken from us, for instance cancelled: stop at once."""
        self._lost = True
        self._changed.set()

    def _view(self) -> dict[str, StepState]:
        """The engine's view with the time that running steps have taken."""
        now, begun = time.monotonic(), self.work.begun_at
        return {
            key: replace_elapsed(step, now - begun.get(key, now)) if step.status is StepStatus.RUNNING else step
            for key, step in self.work.steps.items()
        }

    async def _act(self, actions: Sequence[Action]) -> bool:
        """Do what the engine asks. ``False`` when that was the end."""
        late = [action.key for action in actions if isinstance(action, MarkLate)]
        if late:
            await self._give_up_waiting(late)
        for action in actions:
            if isinstance(action, StartCall):
                self._start(action)
            elif isinstance(action, FailStep):
                await self._fail(action)
            elif isinstance(action, CountVotes):
                await self._count(action)
            elif isinstance(action, Finish):
                await self._finish(action)
                return False
            elif isinstance(action, Wait):
                await self._wait(action.at_most_s)
        return True

    def _start(self, action: StartCall) -> None:
        call = StepAttempts(self.work, action)
        self.work.steps[action.key] = StepState(key=action.key, status=StepStatus.RUNNING)
        self.work.begun_at[action.key] = time.monotonic()
        task = asyncio.create_task(answer_step(call, self.work.flights), name=f"{self.work.claim.public_id} {action.key}")
        task.add_done_callback(lambda _: self._step_ended(action.stage))
        self.work.watch.step_began(action.stage)
        self._calls[action.key] = task

    def _step_ended(self, stage: Stage) -> None:
        self.work.watch.step_ended(stage)
        self._changed.set()

    async def _wait(self, at_most_s: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._changed.wait()
        self._changed.clear()
        if self._lost:
            raise LostRun

    def _reap(self) -> None:
        """Take finished calls off the list; what one raised is raised here."""
        for key, task in list(self._calls.items()):
            if task.done():
                del self._calls[key]
                task.result()

    async def _give_up_waiting(self, keys: Sequence[str]) -> None:
        self.work.given_up.update(keys)
        events = await self.work.writer.insist(mark_late, self.work.claim, [_ref(key) for key in keys])
        for key in keys:
            # The step may have finished while the commit was under way; then it counts.
            if self.work.steps[key].status is StepStatus.RUNNING:
                self.work.steps[key] = StepState(key=key, status=StepStatus.LATE)
        self.work.broadcast.events(events)

    async def _fail(self, action: FailStep) -> None:
        written = self.work.unfinished(action.key)
        await self._stop(action.key)
        if self.work.steps[action.key].status is not StepStatus.RUNNING:
            return
        ref = _ref(action.key)
        write = StepWrite(status=StepStatus.FAILED, text=written, error_kind=action.error_kind, error_message=OVERDUE)
        events = await self.work.writer.insist(record_step, self.work.claim, ref, write)
        self.work.steps[action.key] = StepState(key=action.key, status=StepStatus.FAILED, error_kind=action.error_kind)
        self.work.broadcast.events(events)

    async def _count(self, action: CountVotes) -> None:
        tally = count_votes(self.work.spec, action.key, self.work.steps)
        ref = StepRef(key=action.key, stage=Stage.REVIEW)
        events = await self.work.writer.insist(save_tally, self.work.claim, ref, tally.to_json())
        self.work.steps[action.key] = StepState(key=action.key, status=StepStatus.DONE, tally=tally)
        self.work.broadcast.events(events)

    async def _finish(self, action: Finish) -> None:
        tally = final_tally(self.work.steps)
        score = None if tally is None else tally.agreement.score
        end = RunEnd(
            status=action.status,
            reason=action.reason,
            answer=action.answer,
            answer_by=action.answer_by,
            marks=sorted(mark.value for mark in action.marks),
            consensus_score=None if score is None else float(score),
        )
        # Late calls are closed and booked first, so that the run's last event tells the whole cost.
        await self._stop_calls()
        events = await self.work.writer.insist(finish_run, self.work.claim, end)
        models = {seat.agent_id: self.work.snapshot.models[seat.model] for seat in self.work.spec.seats}
        self.work.watch.ended(action.status.value, self.work.steps, models)
        self.work.broadcast.events(events)

    async def _stop(self, key: str) -> None:
        task = self._calls.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _stop_calls(self) -> None:
        tasks = list(self._calls.values())
        self._calls.clear()
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, LostRun):
                logger.error("call ended with an error while its run was stopped", exc_info=outcome)

    def _elapsed_ms(self) -> int:
        return round(self.work.elapsed_s() * 1000)


def _ref(key: str) -> StepRef:
    return StepRef(key=key, stage=stage_of(key), agent_id=agent_of(key))


def replace_elapsed(step: StepState, elapsed_s: float) -> StepState:
    return StepState(key=step.key, status=step.status, elapsed_s=elapsed_s)
