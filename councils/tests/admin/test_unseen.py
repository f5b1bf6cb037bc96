"""What only those learn of a provider who may change it: where its key comes from, and its options."""

import json

import pytest
from django.test import Client

from councils.models import AuditEntry, Provider
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import provider_form
from councils.tests.factories import make_council

pytestmark = pytest.mark.django_db
VARIABLE, OPTION = "OPERATORS_OWN_API_KEY", "gateway-words"
EXPORT = "/admin/councils/councilconfiguration/export/"
MAY_EXPORT = ("view_councilconfiguration", "view_prompttemplate", "view_modelinfo", "view_provider")


@pytest.fixture
def provider(admin: Client) -> Provider:
    options = json.dumps({"service_tier": OPTION})
    admin.post("/admin/councils/provider/add/", provider_form(api_key_env=VARIABLE, options=options))
    return Provider.objects.get(slug="acme")


@pytest.mark.parametrize(("rights", "sees"), [(("view_provider",), False), (("view_provider", "change_provider"), True)])
def test_the_history_shows_them_to_those_who_may_change_it(provider: Provider, rights: tuple[str, ...], sees: bool) -> None:
    browser = sign_in(staff_with("view_auditentry", *rights))
    entry = AuditEntry.objects.get(kind="councils.provider")

    for address in (f"/admin/councils/provider/{provider.pk}/history/", f"/admin/councils/auditentry/{entry.pk}/change/"):
        page = browser.get(address).text
        assert (VARIABLE in page, OPTION in page) == (sees, sees)
        assert ("not shown" in page) is not sees
        assert "https://api.acme.example/v1" in page


def test_whoever_sees_the_trail_alone_learns_no_more(provider: Provider) -> None:
    entry = AuditEntry.objects.get(kind="councils.provider")

    page = sign_in(staff_with("view_auditentry")).get(f"/admin/councils/auditentry/{entry.pk}/change/").text

    assert VARIABLE not in page


def test_an_entry_of_a_table_that_is_gone_is_shown_as_it_is(admin: Client) -> None:
    entry = AuditEntry.objects.create(actor_name="root", door="admin", verb="changed", kind="councils.gone", changes={"size": ["1", "2"]})

    assert ">size<" in admin.get(f"/admin/councils/auditentry/{entry.pk}/change/").text


def test_the_export_leaves_them_out_and_comes_back_without_a_change(admin: Client, provider: Provider) -> None:
    make_council(is_default=True)
    whole = sign_in(staff_with(*MAY_EXPORT, "change_provider")).get(EXPORT).text
    told = sign_in(staff_with(*MAY_EXPORT)).get(EXPORT).text

    assert VARIABLE in whole
    assert OPTION in whole
    assert VARIABLE not in told
    assert OPTION not in told
    page = admin.post("/admin/councils/councilconfiguration/import/", {"text": told})
    assert (page.context["problems"], page.context["changes"]) == ([], ())
