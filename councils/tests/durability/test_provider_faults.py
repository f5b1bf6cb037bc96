"""One seat of four has a provider that lies in every way we know: the run goes on, and its record says what happened."""

import time

import pytest
from pytest_django.fixtures import Settings

from benchmarks.fake.behaviour import FAULTS, USAGES
from benchmarks.staging import BASE_PATHS, fake_model, stage_council
from councils.engine.types import RunStatus, StepStatus, UsageSource
from councils.models import CouncilRun, ModelCall, Provider
from councils.runner.host import EngineHost
from councils.tests.durability.support import Asker, ended, step

KINDS = ["openai", "ollama", "anthropic"]
KEY = "sk-test-0123456789abcdef"

FAILS: dict[str, set[str]] = {
    "bad_request": {"400", "404", "422", "redirect", "structure"},
    "authentication_failed": {"401", "402", "403", "echo_key"},
    "context_too_long": {"413", "context"},
    "rate_limited": {"429", "429_bare", "429_date", "429_garbage", "429_huge"},
    "provider_unavailable": {"500", "502", "503", "529", "error_event"},
    "connect_failed": {"reset", "no_http"},
    "timeout": {"hang", "hang_headers", "drip", "comments"},
    "broken_stream": {"cut", "eof", "reset_mid", "malformed_flood", "gzip_bomb"},
    "empty_answer": {"empty"},
    "refused": {"refusal"},
    "content_filtered": {"filter"},
}
"""What the record calls it, and the faults that it stands for."""

ANSWERS = {"json", "malformed", "no_choices", "no_done", "null_content", "other_model", "reasoning", "length", "oversize", "echo_key_text"}
"""Faults that leave an answer that can be used."""

TRIED_ONCE = {"bad_request", "authentication_failed", "context_too_long", "empty_answer", "refused", "content_filtered"}
IMPATIENT = {"429_garbage", "429_huge"}


def be_patient(settings: Settings, patience_s: float) -> None:
    settings.LLM_FIRST_TOKEN_TIMEOUT = settings.LLM_RESPONSE_TIMEOUT = patience_s


def ask_with(ask: Asker, behaviours: dict[str, str], kind: str) -> dict[str, CouncilRun]:
    """A run for each of these behaviours of the fourth seat, all at once; returned when all have ended."""
    good = [fake_model(ask.provider.url, f"name=good{number}", kind=kind) for number in range(3)]
    runs = {}
    for name, behaviour in behaviours.items():
        # Each at an endpoint of its own: one that fails again and again is left alone.
        seats = [*good, fake_model(ask.provider.url, behaviour, kind=kind, at=name.replace("_", "-"))]
        for model in seats:
            model.provider.set_api_key(KEY)
            model.provider.save()
        runs[name] = ask.put(stage_council(seats, slug=f"council-{name}", soft_deadline_s=60))
    return {name: ended(run) for name, run in runs.items()}


def test_the_table_names_every_fault_of_the_fake_provider() -> None:
    assert set().union(*FAILS.values()) | ANSWERS == FAULTS


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_ends_as_it_should_and_never_ends_the_run(ask: Asker, engine: EngineHost, settings: Settings, kind: str) -> None:
    settings.LLM_RETRY_MAX_ATTEMPTS = 1
    behaviours = {fault: f"fault={fault},retry_after=0" for fault in FAULTS}
    # All these councils deliberate at once, and an honest answer may take its time on a busy machine.
    be_patient(settings, 60.0)
    runs = ask_with(ask, {fault: behaviours[fault] for fault in FAULTS - FAILS["timeout"]}, kind)
    # Long enough for the honest members of these few.
    be_patient(settings, 4.0)
    runs |= ask_with(ask, {fault: behaviours[fault] for fault in FAILS["timeout"]}, kind)

    opinions = {fault: step(run, "opinion:agent_4") for fault, run in runs.items()}
    told = {fault: opinion.error_kind for fault, opinion in opinions.items()}
    expected = {fault: name for name, faults in FAILS.items() for fault in faults} | dict.fromkeys(ANSWERS, "")
    if kind == "anthropic":
        # Its interface has one word for an answer that the model or a filter refused.
        expected["filter"] = expected["refusal"]
    assert told == expected
    assert {fault: run.status for fault, run in runs.items()} == dict.fromkeys(FAULTS, RunStatus.SUCCEEDED)
    tries = {fault: opinion.calls.count() for fault, opinion in opinions.items()}
    once = {fault for fault in FAULTS if told[fault] in TRIED_ONCE or fault in ANSWERS | IMPATIENT}
    assert tries == {fault: 1 if fault in once else 2 for fault in FAULTS}
    for fault, opinion in opinions.items():
        shown = opinion.text + opinion.error_message
        assert KEY not in shown, fault
        assert shown.isprintable() or opinion.status == StepStatus.DONE, fault


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_provider_says_it_used_is_believed_only_where_it_can_be_true(ask: Asker, engine: EngineHost, kind: str) -> None:
    runs = ask_with(ask, {usage: f"usage={usage},name={usage}" for usage in USAGES}, kind)

    calls = {usage: step(run, "opinion:agent_4").calls.get() for usage, run in runs.items()}
    believed = {usage for usage, call in calls.items() if call.usage_source == UsageSource.REPORTED}
    assert believed == {"true", "lying"}
    assert all(call.cost_usd is not None and call.cost_usd > 0 for call in calls.values())
    assert all(run.unknown_costs == 0 for run in runs.values())


def test_when_every_seat_fails_the_run_fails_soon_with_a_reason_for_each(ask: Asker, engine: EngineHost) -> None:
    began = time.monotonic()
    run = ended(ask("fault=401", "fault=404", "fault=context", "fault=empty"))

    assert (run.status, run.answer) == (RunStatus.FAILED, "")
    said = ("provider did not accept our key", "provider did not accept the request", "question too long for the model", "empty answer")
    for seat, reason in enumerate(said, start=1):
        assert f"Seat {seat} ({reason})" in run.reason
    # The promise is five seconds; a machine that is busy with other tests may take longer, a run that waits for something much longer.
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_answer_lacks_is_marked_on_its_call(ask: Asker, engine: EngineHost, kind: str) -> None:
    faults = {"length": ["truncated"], "oversize": ["size"], "other_model": ["other_model"], "json": [], "reasoning": []}
    runs = ask_with(ask, {fault: f"fault={fault}" for fault in faults}, kind)

    assert {fault: step(run, "opinion:agent_4").calls.get().findings for fault, run in runs.items()} == faults


@pytest.mark.parametrize("kind", KINDS)
def test_the_provider_of_a_refused_key_is_marked_and_no_other(ask: Asker, engine: EngineHost, kind: str) -> None:
    ask_with(ask, {"401": "fault=401", "403": "fault=403", "500": "fault=500", "429": "fault=429,retry_after=0"}, kind)

    assert set(Provider.objects.in_trouble().values_list("slug", flat=True)) == {
        f"fake-{kind}-{ask.provider.port}-401",
        f"fake-{kind}-{ask.provider.port}-403",
    }
    assert not Provider.objects.filter(problem__contains=KEY).exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_endpoint_that_is_down_is_left_alone_and_the_council_goes_on_at_the_other(ask: Asker, engine: EngineHost, kind: str) -> None:
    model = fake_model("http://127.0.0.1:9", "name=two", kind=kind, at="two")
    other = ask.provider.url + BASE_PATHS[kind]
    model.provider.endpoints.create(base_url=other, allow_private_address=True, max_parallel_calls=200)
    council = stage_council([model] * 4)
    first = ended(ask.put(council))
    second = ended(ask.put(council, "And then?"))

    assert [run.status for run in (first, second)] == [RunStatus.SUCCEEDED] * 2
    gone = ModelCall.objects.filter(run=first, error_kind="connect_failed")
    # Four opinions began at once and were moved; the fifth failure closed the address, so that later calls did not try it.
    assert 4 <= gone.count() <= 8
    assert set(ModelCall.objects.filter(run=second).values_list("endpoint", flat=True)) == {other}


def test_an_address_where_nobody_answers_is_a_reason_too(ask: Asker, engine: EngineHost) -> None:
    good = [fake_model(ask.provider.url, f"name=good{number}") for number in range(3)]
    run = ended(ask.put(stage_council([*good, fake_model("http://127.0.0.1:9", "name=nobody")])))

    assert run.status == RunStatus.SUCCEEDED
    assert step(run, "opinion:agent_4").error_kind == "connect_failed"


def test_a_private_address_that_nobody_allowed_is_not_asked(ask: Asker, engine: EngineHost) -> None:
    good = [fake_model(ask.provider.url, f"name=good{number}") for number in range(3)]
    forbidden = fake_model("http://127.0.0.1:9", "name=inside")
    type(forbidden.provider).objects.filter(pk=forbidden.provider_id).update(allow_private_address=False)

    run = ended(ask.put(stage_council([*good, forbidden])))

    assert (run.status, step(run, "opinion:agent_4").error_kind) == (RunStatus.SUCCEEDED, "egress_denied")
