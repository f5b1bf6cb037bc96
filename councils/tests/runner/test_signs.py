"""Signs of life of engines, for people and monitors."""

from datetime import timedelta

import pytest
from django.utils import timezone

from councils.models import CouncilMember, EngineSign
from councils.runner.host import EngineHost
from councils.store.signs import sign, sign_off
from councils.tests.durability.support import Asker, ended, speaking, wait_until


@pytest.mark.django_db
def test_an_engine_signs_into_one_row_by_the_databases_clock() -> None:
    for runs in (0, 3):
        sign("one:1", kind="celery", runs=runs, left_alone=[])
    row = EngineSign.objects.get()

    assert (row.worker, row.kind, row.runs) == ("one:1", "celery", 3)
    assert row.started_at <= row.seen_at
    assert abs(timezone.now() - row.seen_at) < timedelta(minutes=1)
    assert EngineSign.objects.alive().count() == 1


@pytest.mark.django_db
def test_an_engine_that_has_not_signed_for_a_while_is_not_alive() -> None:
    sign("one:1", kind="celery", runs=0, left_alone=[])
    EngineSign.objects.update(seen_at=timezone.now() - timedelta(seconds=30))

    assert not EngineSign.objects.alive().exists()


@pytest.mark.django_db
def test_who_ends_as_it_should_is_not_missed() -> None:
    sign("one:1", kind="celery", runs=0, left_alone=[])
    sign("two:2", kind="celery", runs=0, left_alone=[])
    sign_off("one:1")

    assert EngineSign.objects.get().worker == "two:2"


def test_a_running_engine_says_how_much_it_does_and_signs_off_at_its_end(
    ask: Asker, engine: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("councils.runner.host.SIGN_S", 0.0)
    run = ask(*["tokens=2000,rate=20"] * 3)
    wait_until(lambda: speaking(run) == 3, "the seats write")
    wait_until(lambda: EngineSign.objects.alive().filter(worker=engine.worker, kind="embedded", runs=1).exists(), "the engine signs")

    engine.stop()

    assert not EngineSign.objects.exists()


def test_it_says_whom_it_leaves_alone(ask: Asker, engine: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("councils.runner.host.SIGN_S", 0.0)
    # One retry loop fails four times in a row, those of three seats twelve times.
    council = ask.council(*["fault=503,retry_after=0"] * 3)
    CouncilMember.objects.update(model=council.chairman_model)
    ended(ask.put(council))

    wait_until(lambda: bool(EngineSign.objects.get().left_alone), "the engine signs")
    (line,) = EngineSign.objects.get().left_alone

    assert line["model"].startswith("fake:fault=503")
    assert line["address"].startswith(ask.provider.url)
    assert line["state"] in {"open", "half_open"}
