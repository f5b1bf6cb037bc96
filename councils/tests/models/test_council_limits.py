"""The default council can always be asked, no run may take longer than an hour, and old rows fit into that."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from councils.models import CouncilConfiguration
from councils.models.council import LONGEST_RUN_S
from councils.tests.factories import make_council

pytestmark = pytest.mark.django_db


@pytest.fixture
def lax_table(transactional_db: None) -> Iterator[None]:
    """The table as it was before it had the two constraints."""
    names = {"council_default_can_be_asked", "council_run_deadline_bounded"}
    options = CouncilConfiguration._meta
    all_of_them = options.constraints
    ours = [constraint for constraint in all_of_them if constraint.name in names]
    # SQLite makes the table anew, after what the model says.
    options.constraints = [constraint for constraint in all_of_them if constraint not in ours]
    with connection.schema_editor() as editor:
        for constraint in ours:
            editor.remove_constraint(CouncilConfiguration, constraint)
    yield
    CouncilConfiguration.objects.all().delete()
    options.constraints = all_of_them
    with connection.schema_editor() as editor:
        for constraint in ours:
            editor.add_constraint(CouncilConfiguration, constraint)


@pytest.mark.parametrize("change", [{"is_active": False}, {"archived_at": timezone.now()}], ids=["switched off", "put away"])
def test_the_database_takes_no_default_that_cannot_be_asked(change: dict[str, object]) -> None:
    make_council(slug="quick", is_default=True)

    with pytest.raises(IntegrityError, match="council_default_can_be_asked"), transaction.atomic():
        CouncilConfiguration.objects.update(**change)


@pytest.mark.parametrize("seconds", [0, LONGEST_RUN_S + 1])
def test_a_run_takes_a_second_to_an_hour(seconds: int) -> None:
    council = make_council()
    council.run_deadline_s = seconds

    with pytest.raises(ValidationError, match="run_deadline_s"):
        council.full_clean()
    with pytest.raises(IntegrityError, match="council_run_deadline_bounded"), transaction.atomic():
        council.save()


@pytest.mark.usefixtures("lax_table")
def test_rows_from_before_are_made_to_fit() -> None:
    off = make_council(slug="off", is_default=True, is_active=False, run_deadline_s=90_000)
    make_council(slug="hasty", run_deadline_s=0)

    with connection.schema_editor() as editor:
        import_module("councils.migrations.0003_council_limits").fit_into_limits(apps, editor)

    off.refresh_from_db()
    assert (off.is_default, off.run_deadline_s) == (False, LONGEST_RUN_S)
    assert CouncilConfiguration.objects.get(slug="hasty").run_deadline_s == 1
