"""What is done to many rows at once costs little more than what is done to one, and has an end."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.admin import draft as drafts
from councils.models import AuditEntry, User
from councils.services.curating import clone_council
from councils.services.drafting import Proposal, document_of, keep_draft, propose
from councils.tests.factories import make_council, make_user

pytestmark = pytest.mark.django_db
PEOPLE = "/admin/councils/user/"


def switch_all_off(admin: Client, one: User) -> str:
    chosen = {"action": "deactivate", "_selected_action": [one.pk], "select_across": "1"}
    return admin.post(PEOPLE, chosen, follow=True).text


def test_each_row_more_costs_an_action_no_more_than_its_entry(admin: Client) -> None:
    people = [make_user() for _ in range(2)]
    counts = []
    for more in (0, 10):
        people += [make_user() for _ in range(more)]
        User.objects.filter(pk__in=[user.pk for user in people]).update(is_active=True)
        before = AuditEntry.objects.count()
        with CaptureQueriesContext(connection) as asked:
            switch_all_off(admin, people[0])
        assert AuditEntry.objects.count() - before == len(people)
        counts.append(len(asked))

    assert counts[1] - counts[0] <= 10


def test_more_rows_than_can_be_recorded_at_once_are_left_alone(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("councils.admin.base.MOST_AT_ONCE", 1)
    ada = make_user("ada")

    assert "Choose at most 1 rows at once" in switch_all_off(admin, ada)
    assert User.objects.get(pk=ada.pk).is_active


def test_a_draft_is_looked_at_once_and_costs_the_same_beside_many_councils(
    admin: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    council = make_council()
    draft = keep_draft(council=council, document=document_of(council), by=root)
    page = f"/admin/councils/councildraft/{draft.pk}/change/"
    counts: list[int] = []
    proposed: list[object] = []

    def counted(*args: object) -> Proposal:
        proposed.append(args)
        return propose(draft.council, draft.document)

    monkeypatch.setattr(drafts, "propose", counted)
    admin.get(page)
    proposed.clear()
    for more in (0, 3):
        for _ in range(more):
            clone_council(council=council)
        with CaptureQueriesContext(connection) as asked:
            assert admin.get(page).status_code == 200
        counts.append(len(asked))

    assert len(proposed) == 2
    assert counts[0] == counts[1]
