"""The engine's enumerations as choices. The settings of the OpenAPI schema name them."""

from enum import StrEnum

from councils.engine.carrying import Course
from councils.engine.types import ChairmanMode, FinishReason, Mark, RunStatus, Stage, StepStatus, StructuredMode, UsageSource, VotingSystem
from councils.models import CallStatus


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


CALL_STATUSES = _values(CallStatus)
CHAIRMAN_MODES = _values(ChairmanMode)
COURSES = _values(Course)
FINISH_REASONS = _values(FinishReason)
MARKS = _values(Mark)
RUN_STATUSES = _values(RunStatus)
STAGES = _values(Stage)
STEP_STATUSES = _values(StepStatus)
STRUCTURED_MODES = _values(StructuredMode)
USAGE_SOURCES = _values(UsageSource)
VOTING_SYSTEMS = _values(VotingSystem)
