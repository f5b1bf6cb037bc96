"""A run in the database that nobody drives: the tests of the store play its owners."""

import pytest

from benchmarks.staging import fake_model, stage_council
from councils.models import CouncilRun, User
from councils.services.asking import ask_council
from councils.tests.store.support import Owner


@pytest.fixture
def run(db: None) -> CouncilRun:
    """A queued run of a council with three seats, whose models cost money."""
    seats = [fake_model("http://127.0.0.1:9", f"name=s{number}") for number in range(3)]
    user = User.objects.create_user("asker")
    return ask_council(by=user, council=stage_council(seats), question="Which is best?")[0]


@pytest.fixture
def owner(run: CouncilRun) -> Owner:
    """Whoever has claimed the run first."""
    return Owner.of(run)
