"""Roles × pages × actions of the admin: the whole table, with no cell that is wrong and no page that is not in it.

V, O and M are the viewer, the operator and the council manager; superusers may do what anybody may, and what the last column says.
"""

from collections.abc import Iterator, Mapping

import pytest
from django.contrib import admin as django_admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from councils.engine.types import RunStatus
from councils.models import ApiKey, AuditEntry, CouncilRun, Provider, User
from councils.services.roles import ROLES, ensure_roles, in_words
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import provider_form_of, sent
from councils.tests.admin.test_pages import write_everything
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def installed(db: None) -> None:
    """Tests that commit empty all tables after them, what migrations had stored with the rest."""
    ensure_roles()


COLUMNS = ("Viewer", "Operator", "Council manager", "superuser")
LETTERS = dict(zip("VOM", COLUMNS, strict=False))
VERBS = {"v": "view", "a": "add", "c": "change", "d": "delete"}

# What each may do with the rows of a table: v(iew), a(dd), c(hange), d(elete).
PAGES: Mapping[str, tuple[str, str, str, str]] = {
    "analytics.ConversationAnalytics": ("v", "v", "v", "v"),
    "analytics.ModelAnalytics": ("v", "v", "v", "v"),
    "auth.Group": ("", "", "", "vacd"),
    "councils.AnswerPick": ("v", "v", "v", "v"),
    "councils.ApiKey": ("", "", "", "vacd"),
    "councils.AuditEntry": ("", "", "", "v"),
    "councils.Budget": ("", "v", "v", "vacd"),
    "councils.CacheStatistic": ("v", "v", "v", "v"),
    "councils.CachedResponse": ("", "v", "", "v"),
    "councils.Conversation": ("v", "v", "v", "v"),
    "councils.CouncilConfiguration": ("", "", "vacd", "vacd"),
    "councils.CouncilDraft": ("", "", "vcd", "vcd"),
    "councils.CouncilRun": ("v", "v", "v", "v"),
    "councils.EngineSign": ("v", "v", "v", "v"),
    "councils.Feedback": ("v", "v", "v", "v"),
    "councils.HealthRecord": ("v", "v", "v", "v"),
    "councils.LedgerEntry": ("", "v", "", "v"),
    "councils.Message": ("v", "v", "v", "v"),
    "councils.ModelCall": ("v", "v", "v", "v"),
    "councils.ModelInfo": ("v", "v", "vacd", "vacd"),
    "councils.ModelPrice": ("v", "v", "v", "v"),
    "councils.Opinion": ("v", "v", "v", "v"),
    "councils.PromptTemplate": ("", "", "vad", "vad"),
    "councils.Provider": ("", "v", "v", "vacd"),
    "councils.QuestionSet": ("", "", "vacd", "vacd"),
    "councils.RateLimitLog": ("v", "v", "v", "v"),
    "councils.Review": ("v", "v", "v", "v"),
    "councils.RunEvent": ("v", "v", "v", "v"),
    "councils.RunStep": ("v", "v", "v", "v"),
    "councils.ScheduledJob": ("v", "v", "v", "v"),
    "councils.Synthesis": ("v", "v", "v", "v"),
    "councils.Trial": ("", "", "v", "v"),
    "councils.User": ("", "", "", "vacd"),
    "django_celery_beat.CrontabSchedule": ("", "", "", "vacd"),
    "django_celery_beat.IntervalSchedule": ("", "", "", "vacd"),
    "django_celery_beat.PeriodicTask": ("", "", "", "vacd"),
}

# Who may do what to chosen rows, beside superusers. Deleting them goes by the table above.
ACTIONS: Mapping[str, Mapping[str, str]] = {
    "analytics.ModelAnalytics": {"as_csv": "VOM"},
    "councils.ApiKey": {"revoke": ""},
    "councils.CachedResponse": {"forget_these": "O"},
    "councils.CouncilConfiguration": {"activate": "M", "deactivate": "M", "clone": "M", "archive": "M", "export": "M"},
    "councils.CouncilRun": {"cancel_runs": "O", "continue_runs": "O", "give_up_runs": "O", "as_csv": "VOM"},
    "councils.LedgerEntry": {"as_csv": "O"},
    "councils.ModelCall": {"book_as_nothing": "", "book_as_estimated": "", "as_csv": "VOM"},
    "councils.ModelInfo": {"mark_as_free": "", "activate": "M", "deactivate": "M"},
    "councils.Provider": {"test_connection": "OM", "activate": "", "deactivate": ""},
    "councils.User": {"deactivate": ""},
    "django_celery_beat.PeriodicTask": {"run_tasks": "", "switch_on": "", "switch_off": ""},
}

# Pages beside lists and forms: what their address takes, and who may open them.
EXTRA: Mapping[str, tuple[tuple[object, ...], str]] = {
    # What was spent is shown on it only to those who may see the ledger.
    "analytics_modelanalytics_usage": ((), "VOM"),
    # Shows a new key to the very session that has made it, to others that there is nothing to see.
    "councils_apikey_issued": (("x",), "VOM"),
    "councils_budget_periods": (("pk",), "OM"),
    "councils_cachedresponse_clear": (("llm",), "O"),
    "councils_councilconfiguration_archive": ((), "M"),
    "councils_councilconfiguration_export": ((), "M"),
    "councils_councilconfiguration_import": ((), "M"),
    "councils_councilconfiguration_restore": ((), "M"),
    "councils_councilconfiguration_try": (("pk",), "M"),
    "councils_councildraft_publish": (("pk",), "M"),
    "councils_councilrun_deed": (("pk", "cancel"), "O"),
    "councils_councilrun_prompt": (("pk", "opinion:agent_1"), "M"),
    "councils_modelinfo_switch_off": ((), "M"),
    "councils_prompttemplate_compare": (("pk",), "M"),
    "councils_prompttemplate_use": (("pk",), "M"),
    "councils_provider_models": (("pk",), "M"),
    "councils_provider_switch_off": ((), ""),
    "councils_provider_test": (("pk",), "OM"),
    "councils_trial_cancel": (("pk",), "M"),
}
PLAIN = frozenset({"changelist", "add", "change", "delete", "history"})


def person(column: str) -> User:
    if column == "superuser":
        return make_user(is_staff=True, is_superuser=True)
    user = make_user(is_staff=True)
    user.groups.add(Group.objects.get(name=column))
    return User.objects.get(pk=user.pk)


def pages() -> Iterator[tuple[str, type[Model], ModelAdmin[Model]]]:
    for model, its in sorted(django_admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        yield model._meta.label, model, its


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_no_page_and_no_action_is_missing_in_the_table() -> None:
    assert {label for label, *_ in pages()} == set(PAGES)
    assert {label: actions for label, _, its in pages() if (actions := _actions(its))} == {
        label: set(row) for label, row in ACTIONS.items()
    }
    names = {str(url.name) for _, _, its in pages() for url in its.get_urls() if getattr(url, "name", None)}
    assert {name for name in names if name.rpartition("_")[2] not in PLAIN} <= set(EXTRA)


@pytest.mark.parametrize("column", COLUMNS)
def test_each_role_may_do_what_the_table_says_and_nothing_else(column: str) -> None:
    user, request = person(column), request_of(person(column))
    browser = sign_in(user)
    write_everything("plain")
    wrong: list[tuple[object, ...]] = []
    for label, model, its in pages():
        allowed = PAGES[label][COLUMNS.index(column)]
        may = {letter for letter, verb in VERBS.items() if getattr(its, f"has_{verb}_permission")(request)}
        if may != set(allowed):
            wrong.append((label, "".join(sorted(may))))
        wrong += [(label, *what) for what in _let_in(browser, model, allowed)]
    assert wrong == []


def _actions(its: ModelAdmin[Model]) -> set[str]:
    """Those that are ever offered: a long list without columns for a file has none."""
    return {str(name) for name in its.actions or ()} - (set() if getattr(its, "csv_columns", None) else {"as_csv"})


def _let_in(browser: Client, model: type[Model], allowed: str) -> Iterator[tuple[str, int]]:
    """Pages that are not refused, by GET or by POST, though they should be."""
    row = model._default_manager.order_by("-pk").first()
    pk = row.pk if row else 1
    closed = [
        *(["changelist"] if "v" not in allowed else []),
        *(["add"] if "a" not in allowed else []),
        *(["delete"] if "d" not in allowed else []),
        *(["change", "history"] if "v" not in allowed else []),
    ]
    for page in closed:
        args = () if page in {"changelist", "add"} else (pk,)
        if row is None and args:
            continue
        answers = {browser.get(address(model, page, *args)).status_code, browser.post(address(model, page, *args)).status_code}
        yield from ((page, status) for status in answers if status != 403)
    if "c" not in allowed and row is not None:
        status = browser.post(address(model, "change", pk), {"name": "forged"}).status_code
        if status != 403:
            yield "change by POST", status


@pytest.mark.parametrize("column", COLUMNS)
def test_each_role_is_offered_the_actions_of_the_table(column: str) -> None:
    request, wrong = request_of(person(column)), []
    for label, _, its in pages():
        mine = {name for name, who in ACTIONS.get(label, {}).items() if column == "superuser" or column in {LETTERS[one] for one in who}}
        may_delete = "d" in PAGES[label][COLUMNS.index(column)]
        offered = set(its.get_actions(request))
        if offered != mine | ({"delete_selected"} if may_delete else set()):
            wrong.append((label, offered))
    assert wrong == []


@pytest.mark.parametrize("column", COLUMNS[:3])
def test_the_other_pages_refuse_whom_the_table_leaves_out(column: str) -> None:
    browser = sign_in(person(column))
    write_everything("plain")
    wrong = []
    for _, model, its in pages():
        names = {str(url.name) for url in its.get_urls() if getattr(url, "name", None)} & set(EXTRA)
        for name in names:
            takes, who = EXTRA[name]
            if column in {LETTERS[one] for one in who}:
                continue
            row = model._default_manager.order_by("-pk").first()
            args = [(row.pk if row else 1) if one == "pk" else one for one in takes]
            page = reverse(f"admin:{name}", args=args)
            statuses = {browser.get(page).status_code, browser.post(page).status_code}
            wrong += [(name, status) for status in statuses - {403, 404, 405}]
    assert wrong == []


@pytest.mark.parametrize("column", [None, *COLUMNS[:3]])
def test_an_action_that_is_not_offered_does_nothing(column: str | None) -> None:
    run = make_run(status=RunStatus.RUNNING)
    provider = Provider.objects.get()
    browser = sign_in(person(column) if column else staff_with())
    for model, name, pk in ((CouncilRun, "cancel_runs", run.pk), (Provider, "deactivate", provider.pk), (User, "deactivate", run.owner_id)):
        if column != "Operator" or name != "cancel_runs":
            browser.post(address(model, "changelist"), {"action": name, "_selected_action": pk})

    run.refresh_from_db()
    provider.refresh_from_db()
    assert (run.status, provider.is_active, User.objects.get(pk=run.owner_id).is_active) == (RunStatus.RUNNING, True, True)


def test_a_fresh_installation_has_the_roles_as_they_are_described() -> None:
    for name, role in ROLES.items():
        group = Group.objects.get(name=name)
        held = {f"{app}.{code}" for app, code in group.permissions.values_list("content_type__app_label", "codename")}
        assert held == role.permissions
        assert in_words(group) == role.allows


def test_roles_that_are_missing_are_made_and_those_that_staff_changed_are_kept() -> None:
    Group.objects.get(name="Viewer").delete()
    operator = Group.objects.get(name="Operator")
    operator.permissions.clear()
    told = AuditEntry.objects.count()

    assert ensure_roles() == ["Viewer"]
    assert ensure_roles() == []
    assert Group.objects.get(name="Viewer").permissions.count() == len(ROLES["Viewer"].permissions)
    assert operator.permissions.count() == 0
    assert in_words(operator) == "0 rights, changed since it was set up."
    assert [entry.object_name for entry in AuditEntry.objects.order_by("pk")[told:]] == ["Viewer"]


def test_nobody_who_is_no_superuser_raises_anybody(root: User) -> None:
    """By any field of the form, also those that it does not show."""
    clerk = staff_with("view_user", "change_user", "add_user", "view_apikey")
    browser, operator = sign_in(clerk), Group.objects.get(name="Operator")
    rights = Permission.objects.filter(codename="change_provider").values_list("pk", flat=True)
    dates = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    raised = {"is_superuser": True, "is_staff": True, "groups": operator.pk, "user_permissions": rights[0], **dates}
    other = make_user("ada")

    for user in (clerk, other):
        browser.post(address(User, "change", user.pk), sent(username=user.username, is_active=True, **raised))
    secret = "correct horse battery"
    browser.post(address(User, "add"), sent(username="new", usable_password="true", password1=secret, password2=secret, **raised))

    for user in (clerk, other, User.objects.get(username="new")):
        stored = User.objects.get(pk=user.pk)
        assert not stored.is_superuser
        assert stored.is_staff is (user == clerk)
        assert not stored.groups.exists()
        assert not stored.has_perm("councils.change_provider")
    for page in ("change", "delete"):
        assert browser.post(address(User, page, root.pk), {"post": "yes", "username": "root2"}).status_code == 403
    assert browser.post(f"/admin/councils/user/{root.pk}/password/").status_code == 403


def test_a_manager_sees_no_key_of_a_provider(root: User) -> None:
    make_run()
    provider = Provider.objects.get()
    provider.set_api_key("planted-key")
    provider.save()
    browser = sign_in(person("Council manager"))

    text = browser.get(address(Provider, "change", provider.pk)).text + browser.get(address(Provider, "changelist")).text
    refused = browser.post(address(Provider, "change", provider.pk), provider_form_of(provider, api_key="another"))

    assert "planted-key" not in text
    assert provider.api_key_sealed not in text
    assert 'name="api_key"' not in text
    assert refused.status_code == 403


@pytest.mark.parametrize("column", ["Operator", "Council manager"])
def test_who_may_only_look_at_a_provider_sees_no_options_and_no_name_of_a_variable(admin: Client, column: str) -> None:
    make_run()
    provider = Provider.objects.get()
    Provider.objects.update(options={"extra_headers": {"X-Gateway": "planted-gateway"}}, api_key_env="PLANTED_API_KEY")
    page = address(Provider, "change", provider.pk)

    shown, to_a_writer = sign_in(person(column)).get(page), admin.get(page).text

    assert shown.status_code == 200
    assert "planted-gateway" not in shown.text
    assert "PLANTED_API_KEY" not in shown.text
    assert "planted-gateway" in to_a_writer
    assert "PLANTED_API_KEY" in to_a_writer


def test_hashes_of_keys_are_shown_to_nobody(admin: Client, root: User) -> None:
    key, text = ApiKey.issue(user=root, name="CI")

    shown = admin.get(address(ApiKey, "changelist")).text + admin.get(address(ApiKey, "change", key.pk)).text

    assert key.key_hash not in shown
    assert text not in shown
    assert admin.get(address(ApiKey, "changelist"), {"key_hash__startswith": key.key_hash[0]}).status_code in {302, 400}


def test_the_form_of_a_person_says_what_each_role_allows(admin: Client) -> None:
    page = admin.get(address(User, "change", make_user("ada").pk)).text

    for name, role in ROLES.items():
        assert f"{name}: {role.allows}" in page


def test_a_role_needs_the_staff_switch(admin: Client) -> None:
    ada, group = make_user("ada"), Group.objects.get(name="Viewer")
    dates = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}

    refused = admin.post(address(User, "change", ada.pk), sent(username="ada", is_active=True, groups=group.pk, **dates))
    admin.post(address(User, "change", ada.pk), sent(username="ada", is_active=True, is_staff=True, groups=group.pk, **dates))

    assert "A role lets nobody in" in refused.text
    assert list(ada.groups.all()) == [group]
    assert sign_in(User.objects.get(pk=ada.pk)).get(address(CouncilRun, "changelist")).status_code == 200
