"""Asking a question anew that was not answered, or not by all."""

from councils.engine.types import RunStatus
from councils.models import CouncilRun, RunOrigin, User
from councils.services.asking import ask_council
from councils.services.errors import CouncilUnavailable, NotRepeatable

REPEATABLE = frozenset({RunStatus.FAILED.value, RunStatus.PARTIAL.value, RunStatus.CANCELLED.value})


def can_be_repeated(run: CouncilRun) -> bool:
    """Whether it makes sense to offer it: there is something to mend, and its council still sits."""
    return run.status in REPEATABLE and run.council is not None and run.council.can_be_asked


def ask_again(*, by: User, run: CouncilRun, origin: RunOrigin = RunOrigin.WEB) -> tuple[CouncilRun, bool]:
    """Put the question of ``run`` to the same council once more, in the same conversation. Returns the new run, and whether it is new.

    Everything is asked anew and paid anew; the earlier run stays as it is. A run is repeated once: sent again, this returns the run
    that it made then, which can be repeated in its turn. Raises ``NotRepeatable`` and what ``ask_council`` raises.
    """
    if run.status not in REPEATABLE:
        raise NotRepeatable
    if run.council is None:
        raise CouncilUnavailable("It is gone. Ask another one.")
    return ask_council(
        by=by,
        council=run.council,
        question=run.message.text,
        conversation=run.conversation,
        origin=origin,
        idempotency_key=f"again:{run.public_id}",
    )
