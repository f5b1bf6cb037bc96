"""The audit trail tells what the database holds before and after, once, with who did it, and never a secret."""

from contextlib import AbstractContextManager
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from councils.acting import Acting, Door, acting
from councils.models import AppendOnly, AuditEntry, Budget, CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate, Provider, User
from councils.services.auditing import audited, audited_tables, doomed, record_created, record_deed, taken_back
from councils.tests.factories import make_council, make_model, make_run, make_user

pytestmark = pytest.mark.django_db
PLANTED = "planted-secret-words"


def told() -> list[tuple[str, str, dict[str, list[object]]]]:
    return [(entry.verb, entry.object_name, entry.changes) for entry in AuditEntry.objects.order_by("pk")]


def test_an_update_is_seen_like_a_save() -> None:
    model = make_model("small")

    with audited([model]):
        ModelInfo.objects.filter(pk=model.pk).update(is_active=False, cost_per_1k_input_tokens=Decimal("0.5"))

    assert told() == [("changed", str(model), {"is_active": [True, False], "cost_per_1k_input_tokens": ["0.001", "0.5"]})]


def test_what_stays_as_it_is_is_not_told() -> None:
    model = make_model()

    with audited([model]):
        model.save()

    assert told() == []


def test_a_deletion_keeps_what_was_there() -> None:
    budget = Budget.objects.create(user=make_user("ada"), limit_usd=5)
    name = str(Budget.objects.get())

    with audited([budget]):
        Budget.objects.all().delete()

    ((verb, said, changes),) = told()
    assert (verb, said) == ("deleted", name)
    assert changes["user"] == ["ada", None]
    assert changes["limit_usd"] == ["5", None]


def test_whatever_goes_along_with_a_record_is_told_too() -> None:
    user = make_user("ada")
    Budget.objects.create(user=user, limit_usd=5)

    with audited(doomed([user])):
        user.delete()

    assert {verb for verb, *_ in told()} == {"deleted"}
    assert AuditEntry.objects.filter(kind="councils.budget").count() == 1
    assert AuditEntry.objects.filter(kind="councils.user").count() == 1


def test_tables_that_nobody_tells_of_are_not_read_to_see_what_goes_along() -> None:
    run = make_run()

    with CaptureQueriesContext(connection) as queries:
        assert doomed([run.conversation]) == [run.conversation]

    assert not [query["sql"] for query in queries if 'FROM "councils_runevent"' in query["sql"]]


def test_parts_are_told_with_their_whole() -> None:
    council = make_council(seats=3)
    seat = council.members.get(agent_id="agent_2")

    with audited([council]):
        CouncilMember.objects.filter(pk=seat.pk).update(persona="You doubt.")

    assert told() == [("changed", str(council), {f"{seat._meta.verbose_name} {seat.pk}: persona": ["", "You doubt."]})]


def test_rights_are_told_by_their_names() -> None:
    group = Group.objects.create(name="Readers")
    right = Permission.objects.get(codename="view_councilrun")

    with audited([group]):
        group.permissions.add(right)

    ((_, _, changes),) = told()
    assert changes == {"permissions": [[], [str(right)]]}


def test_of_a_secret_only_the_change_is_told() -> None:
    provider = Provider.objects.create(name="Acme", slug="acme", kind="openai", base_url="https://api.example.com")
    user = make_user("ada", password="first")

    with audited([provider, user]):
        provider.set_api_key(PLANTED)
        provider.save()
        user.set_password(PLANTED)
        user.save()
    with audited([provider]):
        provider.set_api_key("another")
        provider.options = {"headers": {"Authorization": PLANTED}}
        provider.save()

    changes = [changes for *_, changes in told()]
    assert changes[0] == {"api_key_sealed": ["not set", "set"]}
    assert changes[1] == {"password": ["set", "changed"]}
    assert changes[2]["api_key_sealed"] == ["set", "changed"]
    everything = str(list(AuditEntry.objects.values()))
    assert PLANTED not in everything
    assert not [sealed for sealed in Provider.objects.values_list("api_key_sealed", flat=True) if sealed in everything]
    assert User.objects.get().password not in everything


def test_one_change_is_told_once_however_many_watch() -> None:
    model = make_model()

    with audited_tables(ModelInfo), audited([model]):
        model.name = "other"
        model.save()
        record_created(model)

    assert [verb for verb, *_ in told()] == ["changed"]


def test_a_whole_table_tells_new_changed_and_gone_rows() -> None:
    kept, gone = make_model("kept"), make_model("gone")

    with audited_tables(ModelInfo, note="From a file."):
        ModelInfo.objects.filter(pk=kept.pk).update(label="Kept")
        gone.delete()
        make_model("new")

    assert sorted(verb for verb, *_ in told()) == ["changed", "created", "deleted"]
    assert set(AuditEntry.objects.values_list("note", flat=True)) == {"From a file."}


def test_what_fails_leaves_neither_the_change_nor_its_entry() -> None:
    model = make_model("small")

    def break_off() -> None:
        with audited([model]):
            ModelInfo.objects.filter(pk=model.pk).update(name="other")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    assert ModelInfo.objects.get().name == "small"
    assert told() == []


def test_an_entry_that_is_rolled_back_takes_the_change_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("small")

    def fail(**_values: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(AuditEntry.objects, "create", fail)

    with pytest.raises(ZeroDivisionError), audited([model]):
        ModelInfo.objects.filter(pk=model.pk).update(name="other")

    assert ModelInfo.objects.get().name == "small"


def test_entries_say_who_and_through_which_door() -> None:
    ada, model = make_user("ada"), make_model()

    with acting(Acting(Door.API, who=lambda: ada)):
        record_created(model)
    with acting(Acting(Door.COMMAND, "apply_config")):
        record_deed(model, "Looked at.")
    record_deed(model, "Looked at again.")

    entries = AuditEntry.objects.order_by("pk").values_list("actor_name", "actor", "door")
    assert list(entries) == [("ada", ada.pk, "api"), ("apply_config", None, "command"), ("system", None, "system")]


def test_an_entry_outlives_who_wrote_it() -> None:
    ada = make_user("ada")
    with acting(Acting(Door.ADMIN, who=lambda: ada)):
        record_created(make_model())

    ada.delete()

    assert AuditEntry.objects.get().actor_name == "ada"


def test_entries_are_never_changed_or_deleted() -> None:
    record_created(make_model())
    entry = AuditEntry.objects.get()
    entry.note = "Forged."

    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete, lambda: AuditEntry.objects.update(note="Forged.")):
        with pytest.raises(AppendOnly), transaction.atomic():
            change()
    with pytest.raises(AppendOnly), transaction.atomic():
        AuditEntry.objects.bulk_update([entry], ["note"])

    assert AuditEntry.objects.get().note == ""


def test_text_that_names_the_null_character_is_kept_as_it_is() -> None:
    council = make_council(seats=3)
    text = "Never write \\u0000 in C."

    with audited([council]):
        CouncilConfiguration.objects.filter(pk=council.pk).update(description=text)

    ((_, _, changes),) = told()
    assert changes == {"description": ["", text]}


def test_the_null_character_itself_does_not_lose_the_entry() -> None:
    record_created(PromptTemplate(stage="ranking", name="a\x00b", version=1, text="c\x00d"))

    ((_, name, changes),) = told()
    assert "\x00" not in name
    assert (changes["name"], changes["text"]) == ([None, "ab"], [None, "cd"])


def queries_of(block: AbstractContextManager[None]) -> int:
    with CaptureQueriesContext(connection) as asked, block:
        pass
    return len(asked)


def test_many_rows_are_looked_at_in_as_few_queries_as_one() -> None:
    users = [make_user() for _ in range(6)]
    for user in users:
        user.groups.add(Group.objects.get_or_create(name="Readers")[0])
        user.user_permissions.set(Permission.objects.all()[:2])
    councils = [make_council(seats=3) for _ in range(3)]

    assert queries_of(audited(users)) == queries_of(audited(users[:1]))
    assert queries_of(audited(councils)) == queries_of(audited(councils[:1]))


def test_whole_tables_are_looked_at_in_as_few_queries_as_one_row_takes() -> None:
    make_council(seats=3)
    tables = (Provider, ModelInfo, CouncilConfiguration)
    for_one = queries_of(audited_tables(*tables))
    for _ in range(3):
        make_council(seats=3)

    assert queries_of(audited_tables(*tables)) == for_one


def test_of_what_is_taken_back_nothing_is_told() -> None:
    model = make_model("small")

    with taken_back(), audited([model]), audited_tables(ModelInfo):
        ModelInfo.objects.filter(pk=model.pk).update(name="other")
        record_created(model)
        assert told() == []

    assert ModelInfo.objects.get().name == "small"
    assert told() == []
