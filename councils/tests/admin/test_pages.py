"""Every page of the admin: it opens, asks the database no more for more rows, and shows hostile text as text."""

from html.parser import HTMLParser

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from councils.models import (
    ApiKey,
    Budget,
    Conversation,
    CouncilConfiguration,
    CouncilRun,
    LedgerEntry,
    Message,
    ModelCall,
    ModelInfo,
    Opinion,
    PromptTemplate,
    Provider,
    Review,
    RunEvent,
    RunStep,
    Synthesis,
    User,
)
from councils.models.ledger import EntryKind
from councils.tests.factories import make_council, make_run

pytestmark = pytest.mark.django_db

RECORDS: tuple[type[Model], ...] = (
    Conversation, CouncilRun, LedgerEntry, Message, ModelCall, Opinion, Review, RunEvent, RunStep, Synthesis,
)  # fmt: skip
SET_UP: tuple[type[Model], ...] = (ApiKey, Budget, CouncilConfiguration, Group, ModelInfo, PromptTemplate, Provider, User)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def name_of(model: type[Model]) -> str:
    return model.__name__


def write_everything(text: str, number: int = 1) -> None:
    """One more row in every table, with ``text`` wherever people or models can write."""
    council = make_council(name=text[:100], seats=3, description=text)
    user = User.objects.create_user(f"user{number}", first_name=text[:100], email="a@example.org")
    run = make_run(owner=user, council=council, question=text, answer=text, reason=text)
    call = run.calls.first()
    assert call is not None
    LedgerEntry.objects.create(call=call, account=f"user:{user.pk}", kind=EntryKind.CHARGED, amount_usd=1)
    RunEvent.objects.create(run=run, seq=1, type="run_started", payload={"said": text})
    RunStep.objects.filter(run=run).update(error_message=text, text=text, model_name=text, payload={"problem": text})
    ModelCall.objects.filter(run=run).update(error_detail=text, model_name=text, reported_model=text)
    Provider.objects.create(name=f"{number}{text[:90]}", slug=f"p{number}", kind="openai", base_url="https://api.example.com")
    ModelInfo.objects.create(provider=Provider.objects.get(slug=f"p{number}"), name=text, label=text[:100])
    PromptTemplate.objects.add_version(stage="opinions", name=text[:90], text=f"{number} {text} {{question}}")
    ApiKey.issue(user=user, name=text[:100])
    Budget.objects.create(user=user, limit_usd=5)
    Group.objects.create(name=f"{number}{text[:90]}")


class Unexpected(HTMLParser):
    """Finds elements and attributes that only hostile text could have made."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        self.found += [f"{tag} {name}" for name, value in attrs if name == "onerror" or (value or "").startswith("javascript:")]

    def handle_data(self, data: str) -> None:
        if self._in_script and "alert(" in data:
            self.found.append(data)
        self._in_script = False


def unexpected_in(page: str) -> list[str]:
    parser = Unexpected()
    parser.feed(page)
    return parser.found


def test_no_table_of_the_product_is_missing() -> None:
    registered = {model for model in django_admin.site._registry if model._meta.app_label == "councils"}

    assert registered >= {*RECORDS, *SET_UP} - {Group}


@pytest.mark.parametrize("model", [*RECORDS, *SET_UP], ids=name_of)
def test_a_list_asks_the_database_no_more_for_more_rows(admin: Client, model: type[Model]) -> None:
    write_everything("plain", 1)
    admin.get(list_of(model))  # Content types and the like are read once.
    with CaptureQueriesContext(connection) as few:
        assert admin.get(list_of(model)).status_code == 200
    for number in (2, 3, 4):
        write_everything("plain", number)

    with CaptureQueriesContext(connection) as many:
        assert admin.get(list_of(model)).status_code == 200

    assert len(many) == len(few)


@pytest.mark.parametrize("model", [*RECORDS, *SET_UP], ids=name_of)
def test_hostile_text_is_text_in_lists_and_records(admin: Client, model: type[Model]) -> None:
    write_everything(HOSTILE)
    row = model._default_manager.first()
    assert row is not None

    for address in (list_of(model), page_of(row)):
        answer = admin.get(address)
        assert answer.status_code == 200
        assert unexpected_in(answer.content.decode()) == []
        assert b"<script>alert" not in answer.content
    assert unexpected_in(f"<b>{HOSTILE}</b>"), "the parser would find it"


@pytest.mark.parametrize("model", RECORDS, ids=name_of)
def test_records_can_be_read_and_not_written(admin: Client, model: type[Model]) -> None:
    write_everything("plain")
    row = model._default_manager.first()
    assert row is not None
    before = model._default_manager.values().get(pk=row.pk)

    add = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    assert admin.get(add).status_code == 403
    assert admin.post(page_of(row), {"text": "forged", "status": "failed"}).status_code == 403
    assert admin.post(page_of(row) + "../delete/", {"post": "yes"}).status_code == 403
    assert model._default_manager.values().get(pk=row.pk) == before


@pytest.mark.parametrize("model", SET_UP, ids=name_of)
def test_what_is_set_up_has_a_form(admin: Client, model: type[Model]) -> None:
    assert admin.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")).status_code == 200


@pytest.mark.parametrize(
    "query", ["?q=plain", "?attention=needed", "?status__exact=failed", "?q=%00", "?p=999999999999", "?created_at__gte=x"]
)
def test_odd_questions_to_a_list_are_answered(admin: Client, query: str) -> None:
    write_everything("plain")

    assert admin.get(list_of(CouncilRun) + query).status_code in {200, 302}


def test_a_runs_page_shows_neither_sealed_keys_nor_their_names(admin: Client) -> None:
    run = make_run(sealed_keys={"1": "planted-ciphertext"})

    assert b"planted-ciphertext" not in admin.get(page_of(run)).content


def test_people_who_are_not_staff_see_nothing(client: Client) -> None:
    write_everything("plain")
    client.force_login(User.objects.get(username="user1"))

    assert client.get(reverse("admin:index")).status_code == 302
    assert client.get(list_of(CouncilRun)).status_code == 302


def test_staff_without_rights_see_no_list(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert {client.get(list_of(model)).status_code for model in (*RECORDS, *SET_UP)} == {403}


def test_seats_do_not_multiply_the_queries_of_a_councils_form(admin: Client) -> None:
    small, large = make_council(seats=3), make_council(seats=9)
    admin.get(page_of(small))
    with CaptureQueriesContext(connection) as few:
        admin.get(page_of(small))

    with CaptureQueriesContext(connection) as many:
        assert admin.get(page_of(large)).status_code == 200

    assert len(many) == len(few)


@pytest.mark.parametrize("table", ["periodictask", "crontabschedule", "intervalschedule"])
def test_the_schedule_has_a_list_and_a_form(admin: Client, table: str) -> None:
    assert admin.get(reverse(f"admin:django_celery_beat_{table}_changelist")).status_code == 200
    assert admin.get(reverse(f"admin:django_celery_beat_{table}_add")).status_code == 200


def test_long_texts_have_the_style_that_wraps_them(admin: Client) -> None:
    page = admin.get(page_of(make_run(question="First line.\nSecond line."))).content.decode()

    assert '<div class="record-text">First line.\nSecond line.</div>' in page
    assert "admin/council.css" in page
