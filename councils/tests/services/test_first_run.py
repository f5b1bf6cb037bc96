"""The first start: somebody can sign in, a council answers, and a second start changes nothing."""

from collections.abc import Sequence
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from councils import local_model
from councils.engine.errors import AuthenticationFailed, ConnectFailed
from councils.models import ApiKey, CouncilConfiguration, ModelInfo, Provider, User
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint
from councils.services.configuration import dump_configuration
from councils.services.first_run import ensure_admin, ensure_council, needs_local_model
from councils.services.standing import council_problems

pytestmark = pytest.mark.django_db

OLLAMA = "http://10.0.0.7:11434"


class Providers:
    """Stands for the providers' lists of models, and notes what they were asked with."""

    def __init__(self, **served: Sequence[str] | Exception) -> None:
        self.served = served
        self.asked: list[tuple[Endpoint, EgressPolicy]] = []

    def __call__(self, endpoint: Endpoint, policy: EgressPolicy) -> Sequence[str]:
        self.asked.append((endpoint, policy))
        answer = next(answer for part, answer in self.served.items() if part in endpoint.base_url or part == endpoint.kind.value)
        if isinstance(answer, Exception):
            raise answer
        return answer


def default_council() -> CouncilConfiguration:
    return CouncilConfiguration.objects.with_details().get(is_default=True)


def test_without_a_key_the_council_is_the_small_local_model_in_four_characters() -> None:
    made = ensure_council(environment={}, local_port=8123)

    council = default_council()
    seats = list(council.members.all())
    assert made.is_new
    assert {seat.model.name for seat in seats} == {local_model.MODEL_NAME}
    assert len({seat.persona for seat in seats}) == len({seat.temperature for seat in seats}) == 4
    assert council.chairman_model.provider.base_url == "http://127.0.0.1:8123/v1"
    assert council.chairman_model.has_prices
    assert council_problems(council) == []
    assert needs_local_model()


def test_a_second_start_changes_nothing() -> None:
    ensure_council(environment={}, local_port=8089)
    before = dump_configuration()

    again = ensure_council(environment={"OPENAI_API_KEY": "sk-later"}, local_port=8089)

    assert not again.is_new
    assert dump_configuration() == before


def test_the_local_provider_follows_its_port() -> None:
    ensure_council(environment={}, local_port=8089)

    ensure_council(environment={}, local_port=8090)

    assert Provider.objects.get(slug="local").base_url == "http://127.0.0.1:8090/v1"


def test_a_cloud_key_makes_a_council_of_models_that_are_really_served() -> None:
    ask = Providers(openai=["gpt-4.1", "gpt-4o-mini", "whisper-1"])

    ensure_council(environment={"OPENAI_API_KEY": "sk-planted"}, local_port=8089, ask=ask)

    council = default_council()
    assert {seat.model.name for seat in council.members.all()} == {"gpt-4.1", "gpt-4o-mini"}
    assert ask.asked[0][0].api_key == "sk-planted"
    assert not needs_local_model()
    assert council_problems(council) == []


def test_the_key_itself_is_not_stored() -> None:
    ensure_council(environment={"OPENAI_API_KEY": "sk-planted"}, local_port=8089, ask=Providers(openai=["gpt-4.1"]))

    provider = Provider.objects.get(slug="openai")
    assert (provider.api_key_env, provider.api_key_sealed) == ("OPENAI_API_KEY", "")


def test_cloud_models_have_list_prices() -> None:
    ensure_council(environment={"ANTHROPIC_API_KEY": "k"}, local_port=8089, ask=Providers(anthropic=["claude-haiku-4-5-20251001"]))

    model = ModelInfo.objects.get(name="claude-haiku-4-5")
    assert model.cost_per_1k_input_tokens is not None
    assert 0 < model.cost_per_1k_input_tokens < 1


def test_several_providers_share_the_seats() -> None:
    ask = Providers(openai=["gpt-4.1", "gpt-4.1-mini"], anthropic=["claude-haiku-4-5"])

    ensure_council(environment={"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"}, local_port=8089, ask=ask)

    seats = [seat.model.provider.slug for seat in default_council().members.all()]
    assert seats == ["openai", "anthropic", "openai", "openai"]


def test_reasoning_models_are_described_so_that_they_accept_the_request() -> None:
    ensure_council(environment={"OPENAI_API_KEY": "a"}, local_port=8089, ask=Providers(openai=["gpt-5.4-mini"]))

    assert ModelInfo.objects.get(name="gpt-5.4-mini").options == {"max_tokens_field": "max_completion_tokens", "temperature": None}


def test_a_provider_that_refuses_its_key_is_left_out_with_a_note() -> None:
    made = ensure_council(environment={"OPENAI_API_KEY": "wrong"}, local_port=8089, ask=Providers(openai=AuthenticationFailed()))

    assert made.notes == ("OpenAI does not accept the key in OPENAI_API_KEY. It is left out.",)
    assert needs_local_model()


def test_a_cloud_provider_out_of_reach_is_taken_at_its_word() -> None:
    made = ensure_council(environment={"OPENAI_API_KEY": "a"}, local_port=8089, ask=Providers(openai=ConnectFailed()))

    assert "could not be asked" in made.notes[0]
    assert default_council().chairman_model.provider.slug == "openai"


def test_ollama_gives_the_models_that_it_serves_without_those_for_embeddings() -> None:
    ask = Providers(ollama=["nomic-embed-text:latest", "llama3.2:1b", "gemma2:2b"])

    ensure_council(environment={"OLLAMA_BASE_URL": OLLAMA}, local_port=8089, ask=ask)

    assert set(ModelInfo.objects.values_list("name", flat=True)) == {"llama3.2:1b", "gemma2:2b"}
    assert Provider.objects.get(slug="ollama").allow_private_address
    assert ask.asked[0][1].allows("10.0.0.7", 11434)


@pytest.mark.parametrize("answer", [ConnectFailed(), []])
def test_an_ollama_that_is_no_help_leaves_the_local_model(answer: Sequence[str] | Exception) -> None:
    made = ensure_council(environment={"OLLAMA_BASE_URL": OLLAMA}, local_port=8089, ask=Providers(ollama=answer))

    assert any("serves no model that can chat" in note for note in made.notes)
    assert default_council().chairman_model.provider.slug == "local"


def test_an_address_where_nobody_listens_is_a_note_not_a_crash() -> None:
    made = ensure_council(environment={"OLLAMA_BASE_URL": "http://127.0.0.1:9"}, local_port=8089)

    assert any("could not be asked" in note for note in made.notes)


def test_the_admin_gets_the_given_password_which_is_not_repeated() -> None:
    admin = ensure_admin(username="ada", password="correct horse")

    assert (admin.is_new, admin.password) == (True, None)
    user = User.objects.get(username="ada")
    assert user.check_password("correct horse")
    assert user.is_superuser
    assert user.is_staff


def test_a_made_up_password_works_and_is_told_once() -> None:
    first, second = ensure_admin(username="admin", password=None), ensure_admin(username="admin", password=None)

    assert first.password is not None
    assert User.objects.get().check_password(first.password)
    assert second.password is None


def test_nobodys_password_is_changed_by_a_later_start() -> None:
    ensure_admin(username="admin", password="first one")
    ensure_admin(username="admin", password="second one")

    assert User.objects.get().check_password("first one")


def test_a_site_with_another_superuser_gets_no_second_one_by_default() -> None:
    ensure_admin(username="ada", password="correct horse")

    assert ensure_admin(username="admin", password=None).username == "ada"
    assert User.objects.count() == 1


def test_the_command_prints_the_way_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("councils.management.commands.first_run.is_installed", lambda: True)
    first, second = StringIO(), StringIO()

    call_command("first_run", stdout=first)
    call_command("first_run", stdout=second)

    assert "http://127.0.0.1:8000/" in first.getvalue()
    assert "shown only now" in first.getvalue()
    assert "First council: Expert, Teacher, Skeptic, Storyteller" in second.getvalue()
    assert "shown only now" not in second.getvalue()
    assert "changepassword" in second.getvalue()


@pytest.mark.parametrize(("engine", "installed"), [("celery", True), ("embedded", False)])
def test_where_nobody_serves_the_local_model_no_council_is_put_on_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: str, installed: bool
) -> None:
    for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("councils.management.commands.first_run.is_installed", lambda: installed)
    settings.RUN_ENGINE = engine
    out = StringIO()

    call_command("first_run", stdout=out)

    assert "No provider yet: set OPENROUTER_API_KEY" in out.getvalue()
    assert (CouncilConfiguration.objects.count(), needs_local_model()) == (0, False)
    # A later run with a key makes the council.
    made = ensure_council(environment={"OPENAI_API_KEY": "a"}, local_port=8089, serves_local=False, ask=Providers(openai=["gpt-4.1"]))
    assert made.is_new


def test_in_production_the_command_names_the_public_address(settings: Settings) -> None:
    settings.LOCAL, settings.ALLOWED_HOSTS = False, ["council.example", "10.0.0.7"]
    ensure_admin(username="ada", password="correct horse")
    out = StringIO()

    call_command("first_run", stdout=out)

    assert "Address   https://council.example/ " in out.getvalue()
    assert "forgotten: manage.py changepassword ada" in out.getvalue()


def test_an_api_key_from_the_command_line_is_accepted_later() -> None:
    ensure_admin(username="ada", password="correct horse")
    out = StringIO()

    call_command("create_api_key", "ada", days=3, stdout=out)

    key = ApiKey.objects.find(out.getvalue().strip())
    assert key is not None
    assert key.expires_at is not None


def test_an_api_key_needs_a_user() -> None:
    with pytest.raises(CommandError, match="no active user nobody"):
        call_command("create_api_key", "nobody")
