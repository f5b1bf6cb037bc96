"""Which runs and providers somebody should look at."""

from datetime import datetime, timedelta

from django.conf import settings

from councils.engine.types import RunStatus
from councils.models import CouncilRun, HealthRecord, ModelCall, Provider
from councils.models.health import BAD, HealthRecordQuerySet
from councils.models.ledger import ModelCallQuerySet
from councils.models.provider import ProviderQuerySet
from councils.models.run import LIVE, RunQuerySet

LOOK_BACK = timedelta(days=1)
# Beyond a run's own deadline this long, and it is not just slow.
GRACE = timedelta(minutes=5)


def runs_needing_attention(now: datetime) -> RunQuerySet:
    """Runs that failed or stayed partial in the last day, live ones that should have ended by now or wait for staff, and those with a call
    to be booked.
    """
    runs = CouncilRun.objects.order_by()
    # Whoever tries a draft sees how it ends.
    ended_badly = runs.filter(trial=False, status__in=(RunStatus.FAILED.value, RunStatus.PARTIAL.value), created_at__gte=now - LOOK_BACK)
    overdue = runs.filter(status__in=LIVE, created_at__lt=now - timedelta(seconds=settings.RUN_DEADLINE_S) - GRACE)
    held = runs.filter(status__in=LIVE, held=True)
    unbooked = calls_needing_attention().order_by().values("run")
    # A union, since each part has an index of its own; joined by OR they would read every run there ever was.
    return CouncilRun.objects.filter(pk__in=ended_badly.values("pk").union(overdue.values("pk"), held.values("pk"), unbooked))


def calls_needing_attention() -> ModelCallQuerySet:
    """Calls that nobody knows the cost of any more: budgets hold it back until somebody books them."""
    return ModelCall.objects.of_unknown_cost()


def providers_needing_attention() -> ProviderQuerySet:
    """Active providers that refuse our key, newest first: ``problem`` says what they said, ``problem_at`` when."""
    return Provider.objects.in_trouble()


def health_needing_attention() -> HealthRecordQuerySet:
    """Addresses that fail and models that fail or are not served any more, of those in use, by the last check."""
    return HealthRecord.objects.current().in_use().filter(state__in=BAD)
