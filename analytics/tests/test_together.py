"""Two processes that sum up at once, on a real database: the sums are right, and neither fails."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from analytics.aggregation import aggregate, aggregate_hour
from analytics.conversations import conversation_figures
from analytics.models import AggregationMark, ConversationAnalytics, HourAnalytics, ModelAnalytics
from analytics.tests.history import History
from councils.models import ModelCall

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.full]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    faults: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            start.wait(30)
            work()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return faults


def test_the_hourly_work_may_come_twice_at_once() -> None:
    history = History()
    for hour in range(6):
        history.run(NOON + timedelta(hours=hour))
        history.call(NOON + timedelta(hours=hour))

    assert at_once(aggregate, aggregate, lambda: conversation_figures(history.conversation)) == []

    assert HourAnalytics.objects.count() == ModelAnalytics.objects.count() == 6
    assert (ConversationAnalytics.objects.count(), AggregationMark.objects.count()) == (1, 1)
    assert conversation_figures(history.conversation).runs == 6


def test_what_is_written_last_was_read_last() -> None:
    """An hour is computed again and again by two, while calls are booked in it: afterwards one more time changes nothing."""
    history = History()
    history.call(NOON)

    def book() -> None:
        for minute in range(1, 16):
            history.call(NOON + timedelta(minutes=minute))

    def sum_up() -> None:
        for _ in range(10):
            aggregate_hour(NOON)

    assert at_once(book, sum_up, sum_up) == []
    aggregate_hour(NOON)

    assert ModelAnalytics.objects.get().requests == ModelCall.objects.count() == 16
