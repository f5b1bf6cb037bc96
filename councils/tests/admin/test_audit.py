"""Nothing that staff change slips through: every form, deletion and action of the admin leaves entries for the rows it changed."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from councils.admin import council_pages, switching
from councils.admin.base import ProductAdmin, ReadOnlyAdmin
from councils.models import ApiKey, AuditEntry, Budget, CouncilConfiguration, ModelInfo, PromptTemplate, Provider, User
from councils.services import auditing
from councils.services.auditing import KINDS
from councils.services.picturing import Picture, picture_of, row_id
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import council_form, model_form, provider_form, provider_form_of, sent
from councils.tests.admin.test_pages import write_everything
from councils.tests.factories import make_council, make_model, make_user

pytestmark = pytest.mark.django_db
PLANTED = "planted-secret-words"
WRITABLE = sorted(
    (model for model, its in django_admin.site._registry.items() if isinstance(its, ProductAdmin) and not isinstance(its, ReadOnlyAdmin)),
    key=lambda model: model._meta.label,
)
ACTIONS = [(model, name) for model in WRITABLE for name in (*(django_admin.site._registry[model].actions or ()), "delete_selected")]


def pictures() -> Mapping[tuple[str, str], Picture]:
    return {row_id(row): picture_of(row) for model in KINDS for row in model._base_manager.all()}


def untold(before: Mapping[tuple[str, str], Picture], after: Mapping[tuple[str, str], Picture]) -> list[tuple[str, str]]:
    """Records that differ and have no entry."""
    differing = [key for key in {**before, **after} if _values(before, key) != _values(after, key)]
    return [key for key in differing if not AuditEntry.objects.of(*key).exists()]


def _values(of: Mapping[tuple[str, str], Picture], key: tuple[str, str]) -> object:
    return of[key].values if key in of else None


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Model, page: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def test_every_table_that_staff_write_is_told_of() -> None:
    ours = {model for model in WRITABLE if model._meta.app_label in {"councils", "auth"}}

    assert ours <= KINDS


def test_no_list_is_edited_in_place() -> None:
    """That would be a way around the forms."""
    assert [its for its in django_admin.site._registry.values() if its.list_editable] == []


@pytest.mark.parametrize(("model", "name"), ACTIONS, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_every_action_tells_what_it_changed(admin: Client, model: type[Model], name: str) -> None:
    write_everything("plain")
    make_council(is_default=True)
    before = pictures()

    rows = [row.pk for row in model._default_manager.all()]
    admin.post(list_of(model), {"action": name, "_selected_action": rows, "post": "yes", "confirmed": "yes"})

    assert untold(before, pictures()) == []


@pytest.mark.parametrize("model", WRITABLE, ids=lambda model: model.__name__)
def test_every_deletion_is_told_with_what_went_along(admin: Client, model: type[Model]) -> None:
    write_everything("plain")
    row = model._default_manager.first()
    if row is None:
        return
    before = pictures()

    admin.post(page_of(row, "delete"), {"post": "yes"})

    assert untold(before, pictures()) == []


def entries_of(row: Model) -> list[tuple[str, str, str, Any]]:
    rows = AuditEntry.objects.of(*row_id(row)).order_by("pk")
    return [(entry.verb, entry.actor_name, entry.door, entry.changes) for entry in rows]


def test_a_new_record_and_its_change_are_told_with_who_did_it(admin: Client) -> None:
    provider = make_model().provider
    admin.post("/admin/councils/modelinfo/add/", model_form(provider, name="tiny"))
    model = ModelInfo.objects.get(name="tiny")
    admin.post(page_of(model), model_form(provider, name="tiny", label="Tiny"))

    (created, changed) = entries_of(model)
    assert created[:3] == ("created", "root", "admin")
    assert changed == ("changed", "root", "admin", {"label": ["", "Tiny"]})


def test_a_refused_form_tells_nothing(admin: Client) -> None:
    model = make_model()

    admin.post(page_of(model), model_form(model.provider, name=""))

    assert not AuditEntry.objects.exists()


def test_seats_are_told_with_their_council(admin: Client) -> None:
    council = make_council(seats=3, is_default=True)
    seat = council.members.get(agent_id="agent_2")
    model = make_model()
    admin.post(page_of(council), council_form(model, stored=council, members={"1-persona": "You doubt."}))

    changes: dict[str, Any] = {}
    for _, _, _, some in entries_of(council):
        changes |= some
    assert changes[f"seat {seat.pk}: persona"] == ["", "You doubt."]


def test_a_key_of_a_provider_is_told_and_never_shown(admin: Client) -> None:
    admin.post("/admin/councils/provider/add/", provider_form(api_key=PLANTED))
    provider = Provider.objects.get()
    admin.post(page_of(provider), provider_form_of(provider, api_key=PLANTED + "2"))

    changes = [some for *_, some in entries_of(provider)]
    assert (changes[0]["api_key_sealed"], changes[1]["api_key_sealed"]) == (["not set", "set"], ["set", "changed"])
    pages = admin.get(list_of(AuditEntry)).text + admin.get(page_of(provider, "history")).text
    pages += "".join(admin.get(page_of(entry)).text for entry in AuditEntry.objects.all())
    assert PLANTED not in pages
    assert provider.api_key_sealed not in pages
    assert "api key sealed" in pages


def test_issuing_and_revoking_a_key_is_told(admin: Client, root: User) -> None:
    admin.post("/admin/councils/apikey/add/", sent(user=root.pk, name="CI"))
    key = ApiKey.objects.get()
    admin.post(list_of(ApiKey), {"action": "revoke", "_selected_action": key.pk, "confirmed": "yes"})

    created, revoked = entries_of(key)
    assert created[3]["name"] == [None, "CI"]
    assert created[3]["key_hash"] == ["not set", "set"]
    assert list(revoked[3]) == ["revoked_at"]


def test_a_new_password_is_told(admin: Client) -> None:
    ada = make_user("ada")
    secret = "correct horse battery"

    admin.post(f"/admin/councils/user/{ada.pk}/password/", sent(usable_password="true", password1=secret, password2=secret))

    ((verb, who, _, changes),) = entries_of(ada)
    assert (verb, who, changes) == ("changed", "root", {"password": ["set", "changed"]})


def test_groups_that_are_given_are_told(admin: Client) -> None:
    ada, group = make_user("ada"), Group.objects.create(name="Readers")
    form = sent(username="ada", is_active=True, is_staff=True, groups=group.pk, date_joined_0="2026-01-01", date_joined_1="00:00:00")

    admin.post(page_of(ada), form)

    ((_, _, _, changes),) = entries_of(ada)
    assert changes == {"groups": [[], ["Readers"]], "is_staff": [False, True]}


def test_the_trail_is_searched_and_filtered(admin: Client) -> None:
    write_everything("plain")
    provider, model = make_model().provider, make_model("tiny")
    admin.post(page_of(model), model_form(provider, name="tiny", label="Tiny"))
    Provider.objects.filter(pk=provider.pk).update(is_active=False)
    admin.post(list_of(Provider), {"action": "activate", "_selected_action": provider.pk})

    def found(**filters: str) -> int:
        return len(admin.get(list_of(AuditEntry), filters).context["cl"].result_list)

    assert found() == 2
    assert found(kind="councils.provider") == found(q="Tiny") == 1
    assert (found(q="root"), found(verb__exact="deleted"), found(door__exact="admin")) == (2, 0, 2)


def test_the_history_of_a_record_shows_its_fields_and_only_to_those_who_may_see_it(admin: Client) -> None:
    model = make_model("tiny")
    admin.post(page_of(model), model_form(model.provider, name="tiny", label="<script>alert(1)</script>"))

    page = admin.get(page_of(model, "history")).text

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert sign_in(staff_with("view_provider")).get(page_of(model, "history")).status_code == 403
    assert sign_in(staff_with("view_modelinfo")).get(page_of(model, "history")).status_code == 200
    assert admin.get("/admin/councils/modelinfo/999999/history/").status_code == 404


def test_people_who_sign_up_or_change_their_password_are_told(client: Client, settings: Settings) -> None:
    settings.SIGNUP_ENABLED = True
    first, second = "correct horse battery", "battery horse correct"

    client.post("/sign-up/", {"username": "ada", "password1": first, "password2": first})
    client.post("/settings/password/", {"old_password": first, "new_password1": second, "new_password2": second})

    created, changed = entries_of(User.objects.get(username="ada"))
    assert created[:3] == ("created", "ada", "page")
    assert changed == ("changed", "ada", "page", {"password": ["set", "changed"]})


def test_nobody_writes_the_trail(admin: Client) -> None:
    model = make_model()
    admin.post(page_of(model), model_form(model.provider, name="other"))
    entry = AuditEntry.objects.get()

    assert admin.post(page_of(entry), {"note": "Forged."}).status_code == 403
    assert admin.post(page_of(entry, "delete"), {"post": "yes"}).status_code == 403
    assert admin.get("/admin/councils/auditentry/add/").status_code == 403
    admin.post(list_of(AuditEntry), {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"})
    assert AuditEntry.objects.get().note == ""


def test_settings_of_a_council_that_gives_way_as_default_are_told(admin: Client) -> None:
    make_council(seats=3, is_default=True)
    earlier, later, model = CouncilConfiguration.objects.get(), make_council(seats=3), make_model()
    before = pictures()

    admin.post(page_of(later), council_form(model, stored=later, is_default=True))

    assert not CouncilConfiguration.objects.get(pk=earlier.pk).is_default
    assert untold(before, pictures()) == []


def test_budgets_and_prompts_are_told(admin: Client) -> None:
    admin.post("/admin/councils/budget/add/", sent(limit_usd="5", period="month", at_limit="refuse", is_active=True))
    admin.post("/admin/councils/prompttemplate/add/", {"stage": "opinions", "name": "brief", "text": "Be brief. {question}"})

    assert [row.verb for row in AuditEntry.objects.of(*row_id(Budget.objects.get()))] == ["created"]
    assert [row.verb for row in AuditEntry.objects.of(*row_id(PromptTemplate.objects.get()))] == ["created"]


@pytest.mark.parametrize(
    ("page", "module", "deed"),
    [
        ("modelinfo/switch-off", switching, "switch_off_rows"),
        ("councilconfiguration/archive", council_pages, "put_away"),
        ("councilconfiguration/restore", council_pages, "take_back"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_fails_is_neither_done_nor_told(
    admin: Client, monkeypatch: pytest.MonkeyPatch, page: str, module: ModuleType, deed: str
) -> None:
    model, council = make_model(), make_council(archived_at=timezone.now() if "restore" in page else None)
    before = pictures()
    row = model if "model" in page else council
    admin.raise_request_exception = False

    for place, name in ((module, deed), (auditing, "record_deed")):
        with monkeypatch.context() as broken:
            broken.setattr(place, name, Mock(side_effect=OperationalError))
            assert admin.post(f"/admin/councils/{page}/?id={row.pk}").status_code == 503
        assert pictures() == before
        assert not AuditEntry.objects.exists()


def test_chosen_councils_are_told_with_their_budgets_when_they_are_deleted(admin: Client) -> None:
    council = make_council()
    key = row_id(Budget.objects.create(council=council, limit_usd=5))

    admin.post(list_of(CouncilConfiguration), {"action": "delete_selected", "_selected_action": [council.pk], "post": "yes"})

    assert not CouncilConfiguration.objects.exists()
    assert [entry.verb for entry in AuditEntry.objects.of(*key)] == ["deleted"]
