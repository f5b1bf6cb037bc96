"""Which runs somebody should look at."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.models.run import LIVE, RunQuerySet

LOOK_BACK = timedelta(days=1)
# Beyond a run's own deadline this long, and it is not just slow.
GRACE = timedelta(minutes=5)


def runs_needing_attention(now: datetime) -> RunQuerySet:
    """Runs that failed or stayed partial in the last day, and live ones that should have ended by now."""
    ended_badly = Q(status__in=(RunStatus.FAILED.value, RunStatus.PARTIAL.value), created_at__gte=now - LOOK_BACK)
    overdue = Q(status__in=LIVE, created_at__lt=now - timedelta(seconds=settings.RUN_DEADLINE_S) - GRACE)
    return CouncilRun.objects.filter(ended_badly | overdue)
