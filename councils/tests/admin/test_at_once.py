"""Several people at once: names that two of them save, runs that one of them cancels, forms that many look at."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection
from django.db.models import Model
from django.forms.models import BaseModelForm
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from councils.admin import run as runs
from councils.engine.types import RunStatus
from councils.models import Budget, CouncilConfiguration, CouncilRun, ModelInfo, Provider, QuestionSet, User
from councils.services.asking import cancel_run
from councils.services.curating import make_default
from councils.services.drafting import document_of, keep_draft
from councils.tests.admin.forms import council_form, model_form, provider_form, sent
from councils.tests.factories import make_council, make_model, make_run, make_user

pytestmark = pytest.mark.django_db


def page(model: type[Model], name: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def no_questions(**fields: object) -> dict[str, str]:
    return sent(**{"questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0, **fields})


@pytest.fixture
def just_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look finds every name free, as it does while somebody else is about to save it."""
    looked: set[str] = set()
    for holder, name in ((BaseModelForm, "validate_unique"), (Model, "validate_constraints")):
        truly: Callable[..., None] = getattr(holder, name)

        def look(its: object, name: str = name, truly: Callable[..., None] = truly, **options: object) -> None:
            if name in looked:
                truly(its, **options)
            looked.add(name)

        monkeypatch.setattr(holder, name, look)


@pytest.mark.parametrize("model", [Provider, ModelInfo, Group, QuestionSet], ids=lambda model: model.__name__)
def test_a_name_that_somebody_else_just_took_is_a_message_at_its_field(admin: Client, model: type[Model], just_too_early: None) -> None:
    taken = make_model("tiny")
    Group.objects.create(name="Readers")
    QuestionSet.objects.create(name="Hard ones")
    forms = {
        Provider: provider_form(name=taken.provider.name, slug=taken.provider.slug),
        ModelInfo: model_form(taken.provider, name="tiny"),
        Group: sent(name="Readers"),
        QuestionSet: no_questions(name="Hard ones"),
    }
    before = model._default_manager.count()

    answer = admin.post(page(model, "add"), forms[model])

    assert answer.status_code == 200
    assert "already exists" in answer.text
    assert model._default_manager.count() == before


def test_a_change_to_a_name_that_somebody_else_just_took_is_one_too(admin: Client, just_too_early: None) -> None:
    QuestionSet.objects.create(name="Hard ones")
    mine = QuestionSet.objects.create(name="Mine")

    answer = admin.post(page(QuestionSet, "change", mine.pk), no_questions(name="Hard ones"))

    assert "already exists" in answer.text
    assert QuestionSet.objects.get(pk=mine.pk).name == "Mine"


@pytest.mark.parametrize("index", ["9" * 5_000, "99999999999999999999", "-7", "²", "", "x"])
def test_a_button_that_is_nowhere_on_the_page_is_no_fault(admin: Client, index: str) -> None:
    ada = make_user("ada")

    answer = admin.post(page(User, "changelist"), {"action": "deactivate", "_selected_action": ada.pk, "index": index}, follow=True)

    assert answer.status_code == 200


def test_a_run_that_cannot_be_cancelled_keeps_no_other_from_it(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first, stuck, last = (make_run(status=RunStatus.RUNNING) for _ in range(3))
    depths = []

    def cancel(*, run: CouncilRun, by: User) -> bool:
        depths.append(len(connection.savepoint_ids))
        done = cancel_run(run=run, by=by)
        if run == stuck:
            raise DatabaseError("the row is locked")
        return done

    monkeypatch.setattr(runs, "cancel_run", cancel)
    chosen = [first.pk, stuck.pk, last.pk, make_run().pk]

    told = admin.post(page(CouncilRun, "changelist"), {"action": "cancel_runs", "_selected_action": chosen}, follow=True).text

    assert "2 cancelled. 1 had ended already." in told
    assert "1 could not be cancelled now." in told
    assert set(CouncilRun.objects.filter(status=RunStatus.CANCELLED).values_list("pk", flat=True)) == {first.pk, last.pk}
    # Each in a transaction of its own, none around them.
    assert set(depths) == {1}


def test_no_more_runs_are_cancelled_at_once_than_a_request_can_take(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_CANCELLED", 1)
    older, newer = (make_run(status=RunStatus.RUNNING) for _ in range(2))

    sending = {"action": "cancel_runs", "_selected_action": [older.pk], "select_across": "1"}
    told = admin.post(page(CouncilRun, "changelist"), sending, follow=True).text

    assert "These were the newest 1." in told
    assert list(CouncilRun.objects.live()) == [older]
    assert CouncilRun.objects.get(pk=newer.pk).status == RunStatus.CANCELLED


def test_to_look_at_a_form_keeps_nobody_from_writing(admin: Client) -> None:
    """A transaction is the right to write on SQLite, and there is but one."""
    council = make_council()
    rows: tuple[Model, ...] = (
        council,
        make_model(),
        make_model().provider,
        make_user(),
        Group.objects.create(name="Readers"),
        QuestionSet.objects.create(name="Hard ones"),
        Budget.objects.create(limit_usd=5),
    )
    for row in rows:
        with CaptureQueriesContext(connection) as asked:
            assert admin.get(page(type(row), "change", row.pk)).status_code == 200
        assert [query["sql"] for query in asked if "SAVEPOINT" in query["sql"]] == [], row


def test_a_draft_is_drawn_after_it_was_taken_back(admin: Client, root: User) -> None:
    council = make_council(name="As published")
    draft = keep_draft(council=council, document={**document_of(council), "name": "As drafted"}, by=root)
    admin.get(page(CouncilConfiguration, "change", council.pk))

    with CaptureQueriesContext(connection) as asked:
        answer = admin.get(f"{page(CouncilConfiguration, 'change', council.pk)}?draft={draft.pk}")

    statements = [query["sql"] for query in asked]
    end = max(place for place, sql in enumerate(statements) if "SAVEPOINT" in sql)
    assert "As drafted" in answer.text
    # The choice of prompts is read while the page is drawn.
    assert any("councils_prompttemplate" in sql for sql in statements[end:])


def test_a_form_that_is_behind_says_who_changed_what_and_keeps_what_was_typed(admin: Client) -> None:
    admin.post(page(CouncilConfiguration, "add"), council_form(make_model()))
    council = CouncilConfiguration.objects.get()
    there = page(CouncilConfiguration, "change", council.pk)
    mine = council_form(council.chairman_model, stored=council, quorum=3) | {"_seen": str(admin.get(there).context["seen"])}
    admin.post(there, council_form(council.chairman_model, stored=council, description="Theirs"))

    answer = admin.post(there, mine)

    council.refresh_from_db()
    assert "root changed this at" in answer.text
    assert ": description." in answer.text
    assert answer.context["adminform"].form["quorum"].value() == "3"
    assert (council.description, council.quorum) == ("Theirs", 2)
    assert f'name="_seen" value="{answer.context["seen"]}"' in answer.text
    assert admin.post(there, mine | {"_seen": str(answer.context["seen"])}).status_code == 302


def test_a_form_that_is_behind_does_not_take_the_default_back(admin: Client) -> None:
    council, other = make_council(is_default=True), make_council()
    there = page(CouncilConfiguration, "change", council.pk)
    seen = str(admin.get(there).context["seen"])
    mine = council_form(council.chairman_model, seats=council.members.count(), stored=council) | {"_seen": seen}
    make_default(council=other)

    assert "changed this at" in admin.post(there, mine).text
    assert CouncilConfiguration.objects.get(is_default=True) == other
