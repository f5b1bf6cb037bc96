"""The command that sums up."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from analytics.models import ModelAnalytics
from analytics.tests.history import History

pytestmark = pytest.mark.django_db

EARLY, LATE = datetime(2026, 3, 2, 12, 30, tzinfo=UTC), datetime(2026, 3, 4, 9, tzinfo=UTC)


def said(*options: str) -> str:
    out = StringIO()
    call_command("aggregate_model_analytics", *options, stdout=out)
    return out.getvalue()


def test_it_says_what_it_did() -> None:
    history = History()
    history.call(EARLY)
    history.run(LATE)

    assert said() == "Computed 1 rows of models in 2 hours, and 1 conversations.\n"


def test_since_computes_only_what_is_newer_and_computes_all_of_it() -> None:
    history = History()
    history.call(EARLY)
    history.call(LATE)
    said()

    assert "1 rows of models in 1 hours" in said("--since", "2026-03-04")
    assert "2 rows of models in 2 hours" in said("--since", "2026-03-02T12:10")


def test_rebuild_forgets_what_no_record_tells_of() -> None:
    ModelAnalytics.objects.create(hour=EARLY, provider_name="P", model_name="m")

    said("--rebuild")

    assert not ModelAnalytics.objects.exists()


@pytest.mark.parametrize("text", ["yesterday", "2026-02-31", "2026-13-01T00:00"])
def test_a_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"calendar|Write a day"):
        said("--since", text)


@override_settings(ENABLE_ANALYTICS=False)
def test_switched_off_it_says_so() -> None:
    with pytest.raises(CommandError, match="switched off"):
        said()
