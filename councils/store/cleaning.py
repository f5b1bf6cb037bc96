"""What is deleted when nobody needs it any more."""

from datetime import timedelta

from django.utils import timezone

from councils.caching.rows import delete_expired
from councils.models import EngineSign, HealthRecord, RateLimitLog

LIMIT_LOG_DAYS = 30
HEALTH_DAYS = 90
DEAD_SIGN_HOURS = 24


def clean_up() -> int:
    """Delete responses that have expired; how many that were. With them go counts of requests, past health and signs of dead engines."""
    now = timezone.now()
    RateLimitLog.objects.filter(window_start__lt=now - timedelta(days=LIMIT_LOG_DAYS)).delete()
    HealthRecord.objects.filter(is_current=False, checked_at__lt=now - timedelta(days=HEALTH_DAYS)).delete()
    EngineSign.objects.filter(seen_at__lt=now - timedelta(hours=DEAD_SIGN_HOURS)).delete()
    return delete_expired()
