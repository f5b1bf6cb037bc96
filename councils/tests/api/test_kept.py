"""A finished record is rendered once, and again whenever anything in it has changed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from councils.api.kept import KeptRecords, kept_records, version_of
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, ModelCall, RunStep, User
from councils.services.conversations import delete_conversation, rename_conversation
from councils.services.correcting import Settlement, settle_cost
from councils.tests.api.rows import end_run, make_finished_run, make_run


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return end_run(make_finished_run(ada, council))


def read(api: Client, run: CouncilRun, **headers: str) -> Any:
    return api.get(f"/api/v1/runs/{run.public_id}/", headers=headers)


def fresh(api: Client, run: CouncilRun) -> Any:
    """The record as it is rendered anew."""
    kept_records.clear()
    return read(api, run)


def test_a_record_read_again_is_the_same_and_costs_one_look(api: Client, run: CouncilRun) -> None:
    first = read(api, run)
    with CaptureQueriesContext(connection) as queries:
        again = read(api, run)

    # Who asks, and whether it is still true.
    assert len(queries) == 2
    assert (again.content, again["ETag"], again["Content-Type"]) == (first.content, first["ETag"], "application/json")
    assert again["Cache-Control"] == "no-store"


def test_who_has_the_record_is_told_that_it_is_still_the_same(api: Client, run: CouncilRun) -> None:
    tag = read(api, run)["ETag"]

    same = read(api, run, if_none_match=f'"other", W/{tag}')

    assert (same.status_code, same.content, same["ETag"]) == (304, b"", tag)
    assert read(api, run, if_none_match='"other"').status_code == 200


Change = Callable[[Client, CouncilRun], object]


def rename(_: Client, run: CouncilRun) -> None:
    rename_conversation(conversation=run.conversation, title="Another title")


def thumb(api: Client, run: CouncilRun) -> None:
    api.put(f"/api/v1/runs/{run.public_id}/feedback/", {"verdict": "up"}, content_type="application/json")


def thumb_with_reason(api: Client, run: CouncilRun) -> None:
    body = {"verdict": "up", "reason": "It is right."}
    api.put(f"/api/v1/runs/{run.public_id}/feedback/", body, content_type="application/json")


def lose_the_council(_: Client, run: CouncilRun) -> None:
    CouncilConfiguration.objects.all().delete()


def settle(_: Client, run: CouncilRun) -> None:
    call = ModelCall.objects.of_unknown_cost().filter(run=run).get()
    assert settle_cost(call=call, settlement=Settlement.NOTHING) is not None


@pytest.mark.parametrize("change", [rename, thumb, lose_the_council, settle])
def test_a_change_is_seen_at_once(api: Client, run: CouncilRun, change: Change) -> None:
    call = ModelCall.objects.filter(run=run)[0]
    ModelCall.objects.filter(pk=call.pk).update(cost_usd=None, finished_at=timezone.now())
    CouncilRun.objects.filter(pk=run.pk).update(unknown_costs=1)
    before = read(api, run)

    change(api, run)

    after = read(api, run, if_none_match=before["ETag"])
    assert after.status_code == 200
    assert after["ETag"] != before["ETag"]
    assert after.content == fresh(api, run).content != before.content


def test_feedback_that_is_changed_and_taken_back_is_seen(api: Client, run: CouncilRun) -> None:
    seen = [read(api, run).json()["feedback"]]
    for change in (thumb, thumb_with_reason):
        change(api, run)
        seen.append(read(api, run).json()["feedback"]["reason"])
    api.delete(f"/api/v1/runs/{run.public_id}/feedback/")

    assert [*seen, read(api, run).json()["feedback"]] == [None, "", "It is right.", None]


def test_a_live_run_is_never_kept(api: Client, ada: User, council: CouncilConfiguration) -> None:
    assert "ETag" not in read(api, make_run(ada, council))


@pytest.mark.parametrize("status", [CallStatus.SENDING, CallStatus.ORPHANED])
def test_a_call_that_may_yet_be_booked_keeps_the_record_open(api: Client, run: CouncilRun, status: CallStatus) -> None:
    call = ModelCall.objects.filter(run=run)[0]
    ModelCall.objects.filter(pk=call.pk).update(status=status.value, finished_at=None)

    assert "ETag" not in read(api, run)
    ModelCall.objects.filter(pk=call.pk).update(latency_ms=98_765)
    assert "98765" in read(api, run).content.decode()


def test_a_late_step_keeps_the_record_open(api: Client, run: CouncilRun) -> None:
    RunStep.objects.filter(run=run, key="opinion:agent_1").update(status="late")

    assert "ETag" not in read(api, run)


def test_a_deleted_conversation_takes_the_kept_record_with_it(api: Client, ada: User, run: CouncilRun) -> None:
    tag = read(api, run)["ETag"]
    delete_conversation(conversation=run.conversation, by=ada)

    assert read(api, run, if_none_match=tag).status_code == 404


def test_nobody_else_gets_it(api: Client, bob: User, client_of: Callable[[User], Client], run: CouncilRun) -> None:
    tag = read(api, run)["ETag"]

    assert read(client_of(bob), run).status_code == 404
    assert read(client_of(bob), run, if_none_match=tag).status_code == 404


def test_another_language_is_another_version(run: CouncilRun) -> None:
    runs = CouncilRun.objects.filter(pk=run.pk)
    with translation.override("fr"):
        french = version_of(runs.all())

    assert french != version_of(runs.all())


def test_the_least_recently_read_records_give_way() -> None:
    kept = KeptRecords(room_bytes=1_000)
    for number in range(10):
        kept.put(str(number), b"x" * 100)
    assert kept.get("0")
    kept.put("10", b"x" * 100)

    assert [version for version in map(str, range(11)) if not kept.get(version)] == ["1"]


def test_a_record_that_would_push_out_many_is_not_kept() -> None:
    kept = KeptRecords(room_bytes=1_000)
    kept.put("large", b"x" * 200)

    assert kept.get("large") is None


def test_keeping_the_same_again_takes_no_more_room() -> None:
    kept = KeptRecords(room_bytes=1_000)
    kept.put("first", b"x" * 100)
    for _ in range(20):
        kept.put("same", b"x" * 120)

    assert kept.get("first")
