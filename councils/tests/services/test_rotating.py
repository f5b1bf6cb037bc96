"""Changing the key that secrets are sealed with: nothing is lost, and the old key can go."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from councils.models import CouncilConfiguration, CouncilRun, Provider
from councils.models.crypto import UnreadableSecret, reseal, seal, unseal
from councils.services import rotating
from councils.services.asking import ask_council
from councils.services.rotating import Rotated, rotate_keys
from councils.tests.factories import make_council, make_user

OLD, NEW, STRANGE = (Fernet.generate_key().decode() for _ in range(3))
SECRET = "sk-planted-0123456789"


def test_a_secret_is_read_with_any_key_of_the_ring_and_sealed_with_the_first(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    old = seal(SECRET)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert unseal(old) == SECRET
    new = seal(SECRET)

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert unseal(new) == SECRET
    with pytest.raises(UnreadableSecret) as unreadable:
        unseal(old)
    assert old not in str(unreadable.value)


def test_sealing_anew_keeps_the_secret_and_no_secret_stays_none(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    old = seal(SECRET)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    new = reseal(old)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    assert (unseal(new), reseal(""), seal(""), unseal("")) == (SECRET, "", "", "")


@pytest.fixture
def run_under_way(settings: Settings, db: None) -> CouncilRun:
    """A run that carries a key that was sealed with the old key."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    council = make_council()
    provider = council.chairman_model.provider
    provider.set_api_key(SECRET)
    provider.save()
    return ask_council(by=make_user(), council=council, question="Why?")[0]


def test_after_the_command_the_old_key_can_go_and_runs_go_on(run_under_way: CouncilRun, settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    run_under_way.refresh_from_db()
    assert out.getvalue().strip() == "Sealed anew: the keys of 1 providers and of 1 runs under way."
    assert Provider.objects.exclude(api_key_sealed="").get().api_key() == SECRET
    assert [unseal(sealed) for sealed in run_under_way.sealed_keys.values()] == [SECRET]


def test_where_a_secret_fits_no_key_nothing_changes_and_the_provider_is_named(run_under_way: CouncilRun, settings: Settings) -> None:
    before = dict(Provider.objects.values_list("pk", "api_key_sealed"))
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]

    with pytest.raises(CommandError) as refused:
        call_command("rotate_keys")

    assert "Test provider" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert dict(Provider.objects.values_list("pk", "api_key_sealed")) == before


def test_runs_are_locked_before_providers_as_the_runner_locks_them(run_under_way: CouncilRun, settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        rotate_keys()

    tables = [query["sql"].split()[1].strip('"') for query in queries if query["sql"].startswith("UPDATE")]
    assert tables == ["councils_councilrun", "councils_provider"]


def test_a_run_that_begins_meanwhile_is_sealed_anew_too(
    run_under_way: CouncilRun, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    seal_providers = rotating._seal_providers

    def ask_first() -> int:
        settings.FIELD_ENCRYPTION_KEYS = [OLD]
        ask_council(by=run_under_way.owner, council=CouncilConfiguration.objects.get(), question="And why not?")
        settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
        return seal_providers()

    monkeypatch.setattr(rotating, "_seal_providers", ask_first)
    assert rotate_keys() == Rotated(providers=1, runs=2)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    carried = CouncilRun.objects.values_list("sealed_keys", flat=True)
    assert [unseal(sealed) for keys in carried for sealed in keys.values()] == [SECRET, SECRET]
