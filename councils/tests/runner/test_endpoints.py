"""How a step goes on when endpoints fail: another one at once, then a pause, and nothing is sent to one that is left alone."""

from collections.abc import Callable, Mapping

import pytest
from pytest_django.fixtures import Settings

from benchmarks.staging import fake_model, stage_council
from councils.engine.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectFailed,
    EndpointUnavailable,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from councils.engine.types import CompletionRequest, RunStatus, StepStatus
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, ModelCall, Provider, User
from councils.providers.breaker import BreakerPolicy
from councils.providers.endpoint import Endpoint
from councils.providers.scripted import Answer, ScriptedProvider
from councils.runner import switchboard
from councils.services.asking import ask_council
from councils.tests.durability.support import event_types, step
from councils.tests.runner.lives import play
from councils.tests.runner.scripts import by_seat

GOOD, FIRST, SECOND, SPARE = "http://good.example/v1", "http://first.example/v1", "http://second.example/v1", "http://spare.example/v1"
Ask = Callable[..., CouncilRun]


def fails_with(error: ProviderError, times: int = 1_000) -> Callable[[CompletionRequest, int], Answer]:
    return lambda request, call: error if call < times else by_seat(request, call)


@pytest.fixture
def ask(asker: User, quick_engine: None, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask a council of three good seats and one whose provider has these addresses, each with its script."""

    def start(
        addresses: Mapping[str, Callable[[CompletionRequest, int], Answer]], *, spare: bool = False, chairs: bool = False
    ) -> CouncilRun:
        at = {name: ScriptedProvider(script) for name, script in {GOOD: by_seat, SPARE: by_seat, **addresses}.items()}

        def provider_for(endpoint: Endpoint, **_: object) -> ScriptedProvider:
            return at[endpoint.base_url]

        monkeypatch.setattr("councils.runner.attempts.provider_for", provider_for)
        good = [fake_model(GOOD, f"name=good{number}") for number in (1, 2, 3)]
        model, fallback = fake_model(FIRST, "name=seat4"), fake_model(SPARE, "name=spare")
        for row, address in ((good[0], GOOD), (model, FIRST), (fallback, SPARE)):
            Provider.objects.filter(pk=row.provider_id).update(base_url=address, name=address, slug=address[7:11])
        for address in addresses:
            if address != FIRST:
                model.provider.endpoints.create(base_url=address)
        council = stage_council(
            [*good, model], chairmen=[model if chairs else good[0]], fallbacks=[None, None, None, fallback if spare else None]
        )
        return ask_council(by=asker, council=CouncilConfiguration.objects.get(pk=council.pk), question="Which is best?")[0]

    return start


def where(run: CouncilRun, key: str = "opinion:agent_4") -> list[tuple[str, str]]:
    return [(call.endpoint, call.status) for call in ModelCall.objects.filter(run=run, step__key=key).order_by("attempt")]


@pytest.mark.parametrize("error", [ConnectFailed(), ProviderUnavailable(), RateLimited(retry_after_s=50)])
def test_another_endpoint_is_asked_at_once(ask: Ask, settings: Settings, error: ProviderError) -> None:
    settings.LLM_RETRY_BASE_DELAY = settings.LLM_RETRY_MAX_DELAY = 50.0
    run = play(ask({FIRST: fails_with(error), SECOND: by_seat})).run

    assert where(run) == [(FIRST, CallStatus.REFUSED), (SECOND, CallStatus.DONE)]
    assert (run.status, run.marks, step(run, "opinion:agent_4").substituted) == (RunStatus.SUCCEEDED, [], False)
    failed = run.events.get(type="call_failed", payload__key="opinion:agent_4")
    assert failed.payload["retry_in_s"] == 0


@pytest.mark.parametrize("error", [AuthenticationFailed(), BadRequest()])
def test_what_another_endpoint_would_say_too_is_not_asked_there(ask: Ask, error: ProviderError) -> None:
    run = play(ask({FIRST: fails_with(error), SECOND: by_seat})).run

    assert where(run) == [(FIRST, CallStatus.REFUSED)]


def test_an_endpoint_counts_as_a_retry_and_four_tries_are_all(ask: Ask) -> None:
    run = play(ask({FIRST: fails_with(ConnectFailed()), SECOND: fails_with(ConnectFailed())})).run

    assert [address for address, _ in where(run)] == [FIRST, SECOND, FIRST, SECOND]
    assert step(run, "opinion:agent_4").error_kind == ConnectFailed.kind


def test_an_endpoint_is_not_asked_again_before_the_patience_that_it_asked_for(ask: Ask) -> None:
    run = play(ask({FIRST: fails_with(RateLimited(retry_after_s=50)), SECOND: fails_with(ConnectFailed())})).run

    assert [address for address, _ in where(run)] == [FIRST, SECOND, SECOND, SECOND]


@pytest.fixture
def broken_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure is enough to leave an endpoint alone, for longer than any test takes."""
    policy = BreakerPolicy(failures=1, pause_s=600.0)
    monkeypatch.setattr(switchboard, "BreakerPolicy", lambda: policy)


def test_while_its_endpoint_is_left_alone_a_seat_speaks_by_its_fallback(ask: Ask, broken_first: None) -> None:
    run = play(ask({FIRST: fails_with(ConnectFailed())}, spare=True)).run

    assert where(run) == [(FIRST, CallStatus.REFUSED), (SPARE, CallStatus.DONE)]
    # Its review finds the endpoint left alone: no call is written for what was not sent.
    assert where(run, "review:agent_4") == [(SPARE, CallStatus.DONE)]
    assert step(run, "review:agent_4").substituted


def test_a_model_that_is_down_does_not_silence_the_chairman_at_the_same_address(ask: Ask, broken_first: None) -> None:
    def one_is_down(request: CompletionRequest, call: int) -> Answer:
        return ProviderUnavailable() if request.model.endswith("good2") else by_seat(request, call)

    run = play(ask({FIRST: by_seat, GOOD: one_is_down})).run

    assert step(run, "opinion:agent_2").error_kind == EndpointUnavailable.kind
    assert step(run, "synthesis").status == StepStatus.DONE
    assert run.status == RunStatus.SUCCEEDED


def test_without_a_fallback_the_step_waits_as_long_as_its_tries_last_and_fails_with_its_own_reason(ask: Ask, broken_first: None) -> None:
    run = play(ask({FIRST: fails_with(ConnectFailed())}, chairs=True)).run

    opinion, synthesis = step(run, "opinion:agent_4"), step(run, "synthesis")
    assert (opinion.status, opinion.error_kind, where(run)) == (StepStatus.FAILED, EndpointUnavailable.kind, [(FIRST, CallStatus.REFUSED)])
    assert opinion.error_message == "The provider failed several times in a row and is left alone for a while."
    # Nothing was sent for the synthesis, so no call was written.
    assert (synthesis.status, synthesis.error_kind, where(run, "synthesis")) == (StepStatus.FAILED, EndpointUnavailable.kind, [])
    assert (run.status, "synthesis_failed" in event_types(run)) == (RunStatus.PARTIAL, True)


def test_an_endpoint_that_works_again_is_used_again(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = BreakerPolicy(failures=1, pause_s=0.0)
    monkeypatch.setattr(switchboard, "BreakerPolicy", lambda: policy)
    run = play(ask({FIRST: fails_with(ConnectFailed(), times=1)})).run

    assert where(run) == [(FIRST, CallStatus.REFUSED), (FIRST, CallStatus.DONE)]
    assert run.marks == []


def test_waiting_for_an_endpoint_counts_against_the_step_s_time(ask: Ask, broken_first: None, settings: Settings) -> None:
    settings.LLM_RETRY_BASE_DELAY = settings.LLM_RETRY_MAX_DELAY = 300.0
    run = ask({FIRST: fails_with(ConnectFailed())})
    snapshot = run.config_snapshot
    snapshot["spec"] |= {"stage_deadline_s": 0.5, "soft_deadline_min_s": 60}
    CouncilRun.objects.filter(pk=run.pk).update(config_snapshot=snapshot)

    run = play(run).run

    assert (step(run, "opinion:agent_4").status, step(run, "opinion:agent_4").error_kind) == (StepStatus.FAILED, "timeout")
    assert run.status == RunStatus.SUCCEEDED


def test_a_refused_key_marks_the_provider_for_staff_and_an_answer_clears_it(ask: Ask) -> None:
    run = ask({FIRST: fails_with(AuthenticationFailed("HTTP 401"))})
    marked, cleared = Provider.objects.get(base_url=FIRST), Provider.objects.get(base_url=GOOD)
    Provider.objects.mark(cleared.pk, "earlier trouble")

    play(run)

    marked.refresh_from_db()
    cleared.refresh_from_db()
    assert marked.problem == "The provider does not accept our key. HTTP 401"
    assert marked.problem_at is not None
    assert (cleared.problem, cleared.problem_at) == ("", None)


def test_a_run_keeps_the_addresses_that_held_when_it_began(ask: Ask) -> None:
    run = ask({FIRST: fails_with(ConnectFailed()), SECOND: by_seat})
    Provider.objects.get(base_url=FIRST).endpoints.all().delete()

    assert where(play(run).run)[-1] == (SECOND, CallStatus.DONE)


def test_an_address_that_is_switched_off_is_not_asked(ask: Ask, asker: User) -> None:
    first = ask({FIRST: fails_with(ConnectFailed()), SECOND: by_seat})
    Provider.objects.get(base_url=FIRST).endpoints.update(is_active=False)
    assert first.council is not None
    run = ask_council(by=asker, council=first.council, question="Again?")[0]

    assert {address for address, _ in where(play(run).run)} == {FIRST}
