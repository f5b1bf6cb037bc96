"""A key that a provider sends back, in errors and in answers, shows up nowhere: rows, pages, frames, logs, tracebacks."""

import json
import logging

import pytest
from django.apps import apps
from django.core import serializers
from django.test import Client
from django.utils.module_loading import import_string

from benchmarks.staging import fake_model, stage_council
from councils.live.drafts import read_drafts
from councils.models import CouncilRun, ModelCall, Provider
from councils.providers.endpoint import Endpoint
from councils.runner.host import EngineHost
from councils.store.events import events_after
from councils.tests.durability.support import Asker, ended, step
from councils.tests.factories import make_user

KEY = "sk-planted-0123456789abcdef"
JsonFormatter = import_string("council_site.logs.JsonFormatter")


def ask_echoing(ask: Asker, kind: str) -> CouncilRun:
    """A finished run with a seat whose provider quotes the key in its error, and one whose model quotes it in its answer."""
    behaviours = ("name=a", "name=b", "fault=echo_key", "fault=echo_key_text")
    seats = [fake_model(ask.provider.url, behaviour, kind=kind) for behaviour in behaviours]
    for provider in Provider.objects.all():
        provider.set_api_key(KEY)
        provider.save()
    return ended(ask.put(stage_council(seats)))


def everything_stored() -> str:
    """Every row of every table of ours, without the sealed column: that one holds the key, encrypted."""
    rows = [row for model in apps.get_app_config("councils").get_models() for row in model._default_manager.all()]
    return str(serializers.serialize("json", rows))


@pytest.mark.parametrize("kind", ["openai", "ollama", "anthropic"])
def test_a_key_that_comes_back_is_in_no_row_page_frame_or_log(
    ask: Asker, engine: EngineHost, kind: str, caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    caplog.set_level(logging.DEBUG)
    run = ask_echoing(ask, kind)
    call = ModelCall.objects.filter(run=run, error_kind="authentication_failed").first()

    # It did come back: what stands in its place is the mask.
    assert call is not None
    assert "[secret]" in call.error_detail
    assert "[secret]" in step(run, "opinion:agent_4").text
    assert KEY not in everything_stored()
    frames = [*events_after(run, 0), *read_drafts(run.public_id).values()]
    assert KEY not in json.dumps(frames, default=str)
    client.force_login(ask.user)
    admin = Client()
    admin.force_login(make_user(is_staff=True, is_superuser=True))
    pages = {
        client: (f"/runs/{run.public_id}/", f"/api/v1/runs/{run.public_id}/"),
        admin: (
            f"/admin/councils/councilrun/{run.pk}/change/",
            f"/admin/councils/modelcall/{call.pk}/change/",
            f"/admin/councils/provider/{Provider.objects.get().pk}/change/",
            "/admin/councils/provider/",
        ),
    }
    for browser, addresses in pages.items():
        for address in addresses:
            shown = browser.get(address, follow=True)
            assert shown.status_code == 200, address
            assert KEY not in shown.content.decode(), address
    written = "\n".join(JsonFormatter().format(record) for record in caplog.records)
    assert KEY not in written
    assert Provider.objects.get().api_key() == KEY


def test_a_fault_of_ours_in_the_middle_of_a_call_tells_no_key_in_its_traceback(
    ask: Asker, engine: EngineHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(endpoint: Endpoint, **_: object) -> None:
        assert endpoint.api_key == KEY
        raise RuntimeError(f"broke with {endpoint!r}")

    monkeypatch.setattr("councils.runner.attempts.provider_for", breaks)
    run = ask_echoing(ask, "openai")

    assert run.status == "failed"
    records = [JsonFormatter().format(record) for record in caplog.records]
    assert any("broke with Endpoint" in line and "traceback" in line for line in records)
    assert not [line for line in records if KEY in line]
    assert KEY not in everything_stored()
