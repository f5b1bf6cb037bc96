"""Thin background tasks."""

from celery import shared_task
from django.conf import settings

from analytics.aggregation import aggregate


@shared_task
def aggregate_model_analytics() -> dict[str, int]:
    """Bring the roll-ups of models, hours and conversations up to date. Sent every hour at :30; lost or doubled ones do no harm.

    ``aggregated_count`` is how many hourly rows of models were computed anew: 0 where analytics are switched off.
    """
    if not settings.ENABLE_ANALYTICS:
        return {"aggregated_count": 0}
    return {"aggregated_count": aggregate().buckets}
