"""The settings as an operator meets them: loaded anew with an environment of the test's own."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

from council_site.env import EnvError
from council_site.keys import kept_secret

Load = Callable[..., dict[str, Any]]

PRODUCTION = {
    "SITE_PROFILE": "production",
    "SECRET_KEY": "a-long-and-random-text-that-is-only-for-this-test-0123456789",
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "council.example",
}
# Read by docker-compose.yml alone.
COMPOSE_ONLY = {
    "POSTGRES_PASSWORD",
    "FLOWER_BASIC_AUTH",
    "GRAFANA_ADMIN_PASSWORD",
    "FLOWER_PORT",
    "GRAFANA_PORT",
    "OLLAMA_MEMORY",
    "PRIVATE_ADDRESS",
    "REDIS_PASSWORD",
}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Settings from these variables and nothing else; ``without`` leaves one of production's out."""

    def loaded(*, without: str = "", **variables: str) -> dict[str, Any]:
        environment = {**PRODUCTION, **variables, "ENV_FILE": "/dev/null"}
        environment.pop(without, None)
        with monkeypatch.context() as patch:
            patch.setattr("os.environ", environment)
            return runpy.run_path(str(settings.BASE_DIR / "council_site" / "settings.py"))

    return loaded


def names_in(example: Path) -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", example.read_text(), flags=re.MULTILINE))


def test_every_setting_is_documented_and_every_documented_one_is_read(load: Load) -> None:
    assert names_in(settings.BASE_DIR / ".env.example") == load()["ENV"].names | COMPOSE_ONLY


def test_the_defaults_that_the_example_shows_are_the_real_ones(load: Load) -> None:
    example = (settings.BASE_DIR / ".env.example").read_text()
    shown = dict(re.findall(r"^# ([A-Z][A-Z0-9_]*)=(\S+)$", example, flags=re.MULTILINE))

    with_defaults, with_shown = load(), load(**shown)

    assert shown
    for name in shown.keys() & with_defaults.keys():
        assert with_shown[name] == with_defaults[name], name


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"])
def test_production_does_not_start_without_its_secrets(load: Load, name: str) -> None:
    with pytest.raises(EnvError, match=f"{name} is not set"):
        load(without=name)


def test_production_is_the_default_profile_and_is_strict(load: Load) -> None:
    loaded = load(without="SITE_PROFILE")

    assert loaded["SESSION_COOKIE_SECURE"]
    assert loaded["CSRF_COOKIE_SECURE"]
    assert loaded["SECURE_SSL_REDIRECT"]
    assert loaded["SECURE_HSTS_SECONDS"] > 0
    assert not loaded["DEBUG"]
    assert loaded["ALLOWED_HOSTS"] == ["council.example"]
    assert loaded["PRIVATE_PROVIDER_HOSTS"] == []


def test_the_local_profile_needs_nothing_and_admits_this_machine_only(load: Load) -> None:
    loaded = load(without="ALLOWED_HOSTS", SITE_PROFILE="local")

    assert loaded["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert not loaded["SESSION_COOKIE_SECURE"]
    assert loaded["PRIVATE_PROVIDER_HOSTS"] == ["127.0.0.1:8089"]


def test_an_ollama_that_the_operator_names_may_be_called(load: Load) -> None:
    assert "192.168.1.7:11434" in load(OLLAMA_BASE_URL="http://192.168.1.7:11434")["PRIVATE_PROVIDER_HOSTS"]


def test_the_keys_of_the_ring_keep_their_order(load: Load) -> None:
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()

    assert load(FIELD_ENCRYPTION_KEYS=f"{new}, {old}")["FIELD_ENCRYPTION_KEYS"] == [new, old]


def test_sqlite_gets_the_options_that_durability_needs(load: Load) -> None:
    options = load(DATABASE_URL="sqlite:////srv/council.sqlite3")["DATABASES"]["default"]["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 20
    assert {"journal_mode=WAL", "synchronous=FULL", "mmap_size=0"} <= set(re.findall(r"PRAGMA (\S+);", options["init_command"]))


def test_postgresql_gets_a_pool_of_the_asked_size(load: Load) -> None:
    database = load(DATABASE_URL="postgres://council:secret@db:5432/council", DATABASE_POOL_SIZE="7")["DATABASES"]["default"]

    assert (database["ENGINE"], database["HOST"], database["NAME"]) == ("django.db.backends.postgresql", "db", "council")
    assert database["OPTIONS"]["pool"]["max_size"] == 7


def test_a_connection_that_a_restarted_postgresql_has_broken_is_never_handed_out(load: Load) -> None:
    database = load(DATABASE_URL="postgres://council:secret@db:5432/council")["DATABASES"]["default"]

    assert database["CONN_HEALTH_CHECKS"] is True
    assert 0 < database["OPTIONS"]["pool"]["max_lifetime"] < 3600
    # A page says that the database is away before its visitor gives up.
    assert 0 < database["OPTIONS"]["pool"]["timeout"] <= 10


def test_nothing_waits_for_ever_for_postgresql(load: Load) -> None:
    url = "postgres://council:secret@db:5432/council"
    options = load(DATABASE_URL=url, DATABASE_STATEMENT_TIMEOUT_S="7")["DATABASES"]["default"]["OPTIONS"]

    limits = dict(re.findall(r"-c (\w+)=(\d+)", options["options"]))
    assert limits["statement_timeout"] == "7000"
    assert int(limits["lock_timeout"]) > 0
    assert int(limits["idle_in_transaction_session_timeout"]) > 0
    assert options["connect_timeout"] > 0
    assert load(DATABASE_URL=f"{url}?options=-c%20lock_timeout=1")["DATABASES"]["default"]["OPTIONS"]["options"] == "-c lock_timeout=1"


@pytest.mark.parametrize("url", ["mysql://root:hunter2@db/x", "hunter2", "oracle://u:hunter2@h/x"])
def test_another_database_is_refused_without_showing_its_password(load: Load, url: str) -> None:
    with pytest.raises(EnvError, match="DATABASE_URL is not usable") as refusal:
        load(DATABASE_URL=url)

    assert "hunter2" not in str(refusal.value)


def test_without_redis_everything_stays_in_this_process(load: Load) -> None:
    loaded = load()

    assert "locmem" in loaded["CACHES"]["default"]["BACKEND"]


def test_a_broken_cache_is_no_error_and_nobody_waits_long_for_it(load: Load) -> None:
    loaded = load(REDIS_URL="redis://queue:6379/0", REDIS_CACHE_URL="redis://cache:6379/0")

    cache = loaded["CACHES"]["default"]
    assert cache["LOCATION"] == "redis://cache:6379/0"
    assert cache["OPTIONS"]["IGNORE_EXCEPTIONS"]
    assert cache["OPTIONS"]["SOCKET_CONNECT_TIMEOUT"] <= 1
    assert cache["OPTIONS"]["SOCKET_TIMEOUT"] <= 1
    # A library that keeps one pool per address gives all caches the times of whichever comes first.
    assert {name: loaded["CACHES"]["responses"]["OPTIONS"][name] for name in ("SOCKET_TIMEOUT", "SOCKET_CONNECT_TIMEOUT")} == {
        name: cache["OPTIONS"][name] for name in ("SOCKET_TIMEOUT", "SOCKET_CONNECT_TIMEOUT")
    }


def test_celery_as_the_engine_needs_redis(load: Load) -> None:
    with pytest.raises(EnvError, match="RUN_ENGINE is celery, but REDIS_URL is not set"):
        load(RUN_ENGINE="celery")

    assert load(RUN_ENGINE="celery", REDIS_URL="redis://queue:6379/0")["RUN_ENGINE"] == "celery"


def test_celery_speaks_json_and_never_sends_a_running_task_again(load: Load) -> None:
    loaded = load()

    assert loaded["CELERY_ACCEPT_CONTENT"] == ["json"]
    assert loaded["CELERY_BROKER_TRANSPORT_OPTIONS"]["visibility_timeout"] > 10 * loaded["RUN_DEADLINE_S"]
    assert loaded["RUN_DEADLINE_S"] < loaded["CELERY_TASK_TIME_LIMIT"]


def test_a_deadline_beyond_the_task_limit_is_refused(load: Load) -> None:
    with pytest.raises(EnvError, match="RUN_DEADLINE_S is '600'"):
        load(RUN_DEADLINE_S="600")


def test_nobody_is_trusted_as_a_proxy_unless_counted(load: Load) -> None:
    assert load()["SECURE_PROXY_SSL_HEADER"] is None
    assert load(TRUSTED_PROXY_COUNT="1")["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_a_kept_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    made = iter(["first", "second"])
    path = tmp_path / "var" / "secret"

    assert kept_secret(path, lambda: next(made)) == "first"
    assert kept_secret(path, lambda: next(made)) == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_two_starts_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def made_while_another_start_was_quicker() -> str:
        path.write_text("quicker")
        return "slower"

    assert kept_secret(path, made_while_another_start_was_quicker) == "quicker"


def test_the_folder_in_which_processes_count_together_is_made(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "of" / "metrics"

    load(PROMETHEUS_MULTIPROC_DIR=str(folder))

    assert folder.is_dir()


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "ENABLE_TRACING": "false"}, False),
        ({"ENABLE_TRACING": "true"}, True),
    ],
)
def test_an_endpoint_turns_traces_on_unless_somebody_says_no(load: Load, variables: dict[str, str], on: bool) -> None:
    assert load(**variables)["ENABLE_TRACING"] is on
