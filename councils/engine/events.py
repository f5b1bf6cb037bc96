"""What happened in a run, in the past tense: the same strings in engine, database, WebSocket and API."""

from enum import StrEnum


class EventType(StrEnum):
    RUN_QUEUED = "run_queued"
    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    CALL_STARTED = "call_started"
    CALL_FAILED = "call_failed"
    OPINION_COMPLETED = "opinion_completed"
    OPINION_FAILED = "opinion_failed"
    BALLOT_COUNTED = "ballot_counted"
    BALLOT_REJECTED = "ballot_rejected"
    BALLOT_FAILED = "ballot_failed"
    STEP_LATE = "step_late"
    TALLY_COMPUTED = "tally_computed"
    SYNTHESIS_COMPLETED = "synthesis_completed"
    SYNTHESIS_FAILED = "synthesis_failed"
    RUN_FINISHED = "run_finished"
