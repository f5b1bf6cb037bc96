"""What was sent for a step of a run: put together again by the code that sent it, and checked against what each call has kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from councils.engine.digest import messages_digest
from councils.engine.prompts import prepare
from councils.engine.types import ChatMessage
from councils.models import CouncilRun, ModelCall
from councils.runner.work import step_state
from councils.snapshot import Snapshot, UnreadableSnapshot
from councils.store.claims import history_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The messages of a step. They are what a call has sent where its fingerprint says so; without one nobody can tell."""

    messages: Sequence[ChatMessage]
    digest: str

    def was_sent_by(self, call: ModelCall) -> bool:
        return bool(call.prompt_hash) and call.prompt_hash == self.digest


def prompt_of(run: CouncilRun, key: str) -> Prompt | None:
    """The prompt of this step from the run's snapshot, its steps as they are now, and the conversation before it.

    ``None`` where it cannot be told: the tally asks nobody, and another version of the software may have recorded the run.
    """
    try:
        snapshot = Snapshot.from_json(run.config_snapshot)
        steps = {step.key: step_state(step) for step in run.steps.all()}
        prepared = prepare(snapshot.spec, key, steps, question=run.message.text, history=history_before(run.message))
    except (UnreadableSnapshot, LookupError, TypeError, ValueError):
        return None
    return Prompt(messages=prepared.messages, digest=messages_digest(prepared.messages))
