"""Signs of life that engines leave for people and monitors. Whether a run is taken over is never decided by them."""

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Now

from councils.models import EngineSign


def sign(worker: str, *, kind: str, runs: int, left_alone: Sequence[dict[str, Any]]) -> None:
    """Say that this worker's engine has just looked for runs, by the database's clock."""
    said = {"seen_at": Now(), "runs": runs, "left_alone": list(left_alone)}
    if not EngineSign.objects.filter(worker=worker).update(**said):
        EngineSign.objects.create(worker=worker, kind=kind, started_at=Now(), **said)


def sign_off(worker: str) -> None:
    """This worker's engine has ended as it should: nobody need miss it."""
    EngineSign.objects.filter(worker=worker).delete()
