"""People who have asked councils are switched off, not deleted: the ledger keeps what they spent."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from councils.models import EntryKind, LedgerEntry, User
from councils.tests.factories import make_run, make_user

PEOPLE = "/admin/councils/user/"


@pytest.mark.django_db
def test_who_has_asked_cannot_be_deleted_and_the_ledger_is_whole() -> None:
    run = make_run()
    call = run.calls.first()
    assert call is not None
    LedgerEntry.objects.create(call=call, account=f"user:{run.owner.pk}", kind=EntryKind.CHARGED, amount_usd=1)

    with pytest.raises(ProtectedError):
        run.owner.delete()

    assert LedgerEntry.objects.count() == 1


@pytest.mark.parametrize("send", ["get", "post"])
def test_deleting_who_has_asked_offers_to_switch_off_instead(admin: Client, send: str) -> None:
    person = make_run().owner

    page = getattr(admin, send)(reverse("admin:councils_user_delete", args=[person.pk]), {"post": "yes"})

    assert "has asked councils" in page.text
    assert 'value="deactivate"' in page.text
    assert User.objects.get(pk=person.pk).is_active

    admin.post(PEOPLE, {"action": "deactivate", ACTION_CHECKBOX_NAME: person.pk})
    assert not User.objects.get(pk=person.pk).is_active


def test_of_many_nobody_is_deleted_while_one_has_asked(admin: Client) -> None:
    person, other = make_run().owner, make_user("nobody")
    chosen = {"action": "delete_selected", ACTION_CHECKBOX_NAME: [person.pk, other.pk], "post": "yes"}

    assert "who has asked councils" in admin.post(PEOPLE, chosen).text
    assert User.objects.filter(pk__in=[person.pk, other.pk]).count() == 2


def test_who_has_never_asked_is_deleted(admin: Client) -> None:
    person = make_user("nobody")

    admin.post(reverse("admin:councils_user_delete", args=[person.pk]), {"post": "yes"})

    assert not User.objects.filter(pk=person.pk).exists()
