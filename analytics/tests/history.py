"""Raw rows with chosen times, for tests of sums. One council and one conversation do for all."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from councils.engine.steps import agent_of
from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import CallStatus, Conversation, CouncilRun, Message, MessageRole, ModelCall, ModelInfo, RunStep
from councils.tests.factories import make_model, make_user

_attempts = count(1)


@dataclass
class History:
    """Writes calls and runs as the product would have left them, at any time."""

    conversation: Conversation = field(default_factory=lambda: Conversation.objects.create(owner=make_user(), title="A history"))
    model: ModelInfo = field(default_factory=make_model)

    def run(self, at: datetime, status: RunStatus = RunStatus.SUCCEEDED, *, seconds: int | None = 10, **fields: Any) -> CouncilRun:
        """A run asked at this time that took so long; ``seconds=None`` has not ended."""
        message = Message.objects.create(conversation=self.conversation, role=MessageRole.USER, text="Why?")
        run = CouncilRun.objects.create(
            conversation=self.conversation,
            message=message,
            owner=self.conversation.owner,
            council_name="Council",
            config_snapshot={},
            status=status.value,
            started_at=at,
            finished_at=None if seconds is None else at + timedelta(seconds=seconds),
            **fields,
        )
        CouncilRun.objects.filter(pk=run.pk).update(created_at=at)
        return run

    def step(self, run: CouncilRun, key: str, stage: Stage, **fields: Any) -> RunStep:
        return RunStep.objects.create(run=run, key=key, stage=stage.value, agent_id=agent_of(key), status=StepStatus.DONE.value, **fields)

    def call(self, at: datetime, status: CallStatus = CallStatus.DONE, *, step: RunStep | None = None, **fields: Any) -> ModelCall:
        """A call begun at this time. Without a step it gets one of its own, in a live run that no sum counts."""
        if step is None:
            step = self.step(self._host(), f"opinion:agent_{next(_attempts)}", Stage.OPINIONS)
        model = fields.get("model") or self.model
        usual: dict[str, Any] = {
            "model": model,
            "model_name": model.name,
            "provider_name": model.provider.name,
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "cost_usd": Decimal("0.002"),
            "latency_ms": 1_000,
            "finished_at": None if status is CallStatus.SENDING else at + timedelta(seconds=1),
        }
        call = ModelCall.objects.create(run=step.run, step=step, attempt=1, epoch=1, status=status.value, **(usual | fields))
        ModelCall.objects.filter(pk=call.pk).update(created_at=at)
        return call

    def _host(self) -> CouncilRun:
        live = CouncilRun.objects.filter(conversation=self.conversation, status=RunStatus.RUNNING.value).first()
        return live or self.run(datetime.fromisoformat("2020-01-01T00:00:00+00:00"), RunStatus.RUNNING, seconds=None)
