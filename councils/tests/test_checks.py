"""Every check is silent on the shipped settings and speaks on a fault made for it."""

import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from channels.routing import ProtocolTypeRouter
from channels.security.websocket import AllowedHostsOriginValidator
from cryptography.fernet import Fernet
from django.core.checks import CheckMessage, registry
from django.db import connection, connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import override_settings
from pytest_django.fixtures import Settings

from councils import checks

needs_sqlite = pytest.mark.skipif("postgres" in str(connections.settings["default"]["ENGINE"]), reason="about SQLite")


async def unguarded(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that asks nobody where they come from."""


without_sockets = ProtocolTypeRouter({"http": unguarded})
open_to_anybody = ProtocolTypeRouter({"http": unguarded, "websocket": unguarded})
open_to_http_pages = ProtocolTypeRouter({"http": unguarded, "websocket": AllowedHostsOriginValidator(unguarded)})


def ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def sqlite_faults() -> list[CheckMessage]:
    return checks.check_sqlite(databases=["default"])


def test_every_id_is_described_where_the_checks_are_defined() -> None:
    source = Path(checks.__file__).read_text()

    described = set(re.findall(r"^councils\.[EW]\d{3}", checks.__doc__ or "", flags=re.MULTILINE))
    assert described == set(re.findall(r'id="(councils\.[EW]\d{3})"', source))


@pytest.mark.parametrize(
    "check",
    [
        checks.check_sqlite,
        checks.check_content_security_policy,
        checks.check_socket_origins,
        checks.check_key_ring,
        checks.check_proxies,
    ],
)
def test_django_runs_the_check(check: Callable[..., list[CheckMessage]]) -> None:
    assert check in set[object](registry.registry.registered_checks)


def test_the_policy_of_redis_is_asked_for_at_deployment_only() -> None:
    assert checks.check_redis_policy in set[object](registry.registry.deployment_checks)
    assert checks.check_redis_policy not in set[object](registry.registry.registered_checks)


@needs_sqlite
@pytest.mark.django_db
def test_the_shipped_sqlite_is_safe() -> None:
    assert sqlite_faults() == []


def test_sqlite_is_not_opened_unless_databases_are_checked() -> None:
    assert checks.check_sqlite(databases=None) == []


@needs_sqlite
@pytest.mark.django_db
def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    monkeypatch.setattr(checks, "SAFE_SQLITE", (*newest[:2], newest[2] + 1))

    assert ids(sqlite_faults()) == ["councils.E001"]


@pytest.fixture
def open_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Callable[..., None]]:
    """Put a database of the test's own, opened with other options, in the place of the site's."""
    opened: list[DatabaseWrapper] = []

    def swap(**options: Any) -> None:
        changed = {"NAME": str(tmp_path / "other.sqlite3"), "OPTIONS": connection.settings_dict["OPTIONS"] | options}
        opened.append(DatabaseWrapper(connection.settings_dict | changed, alias="default"))
        monkeypatch.setattr(checks, "connections", {"default": opened[0]})

    yield swap
    for other in opened:
        other.close()


@needs_sqlite
def test_the_options_that_the_site_ships_are_in_force_on_a_new_file(open_with: Callable[..., None]) -> None:
    open_with()

    assert sqlite_faults() == []


@needs_sqlite
@pytest.mark.parametrize(
    ("pragmas", "complaint"),
    [
        ("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;", "journal_mode is not WAL."),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", "synchronous is below FULL."),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=1048576;", "mmap_size is not 0."),
        ("PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF;", "journal_mode is not WAL, synchronous is below FULL."),
    ],
)
def test_a_pragma_that_is_not_in_force_is_found_on_the_connection(pragmas: str, complaint: str, open_with: Callable[..., None]) -> None:
    open_with(init_command=pragmas)

    [fault] = sqlite_faults()

    assert fault.id == "councils.E002"
    assert fault.msg.endswith(complaint)


@needs_sqlite
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"transaction_mode": "DEFERRED"}, "transaction_mode is not IMMEDIATE."),
        ({"timeout": 5}, "timeout is below 20 s."),
        ({"transaction_mode": None, "timeout": 1}, "transaction_mode is not IMMEDIATE, timeout is below 20 s."),
    ],
)
def test_options_that_lose_writes_are_refused(options: dict[str, Any], complaint: str, open_with: Callable[..., None]) -> None:
    open_with(**options)

    [fault] = sqlite_faults()

    assert fault.id == "councils.E002"
    assert fault.msg.endswith(complaint)


def test_the_shipped_content_security_policy_is_strict() -> None:
    assert checks.check_content_security_policy() == []


@pytest.mark.parametrize(
    ("directives", "complaint"),
    [
        (None, "script-src is loose, frame-ancestors is missing"),
        ({"script-src": ["'self'"]}, "frame-ancestors is missing"),
        ({"script-src": ["'self'", "'unsafe-inline'"], "frame-ancestors": ["'none'"]}, "script-src is loose"),
        ({"default-src": ["https:"], "frame-ancestors": ["'none'"]}, "script-src is loose"),
        ({"script-src": ["*"], "frame-ancestors": ["'none'"]}, "script-src is loose"),
    ],
)
def test_a_policy_that_lets_foreign_scripts_run_is_refused(directives: dict[str, Any] | None, complaint: str, settings: Settings) -> None:
    settings.CONTENT_SECURITY_POLICY = directives and {"DIRECTIVES": directives}

    [fault] = checks.check_content_security_policy()

    assert fault.id == "councils.E003"
    assert complaint in fault.msg


def test_a_policy_that_nobody_sends_is_refused(settings: Settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "ContentSecurityPolicy" not in name]

    assert "its middleware is not installed" in checks.check_content_security_policy()[0].msg


def test_the_shipped_sockets_check_origins() -> None:
    assert checks.check_socket_origins() == []


@pytest.mark.parametrize("application", ["without_sockets", "open_to_anybody", "open_to_http_pages", "unguarded"])
def test_sockets_without_our_origin_check_are_refused(application: str) -> None:
    with override_settings(ASGI_APPLICATION=f"{__name__}.{application}"):
        assert ids(checks.check_socket_origins()) == ["councils.E004"]


def test_the_shipped_key_ring_is_usable() -> None:
    assert checks.check_key_ring() == []


def test_an_empty_key_ring_is_refused(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []

    assert ids(checks.check_key_ring()) == ["councils.E005"]


@pytest.mark.parametrize("bad", ["short", "ä" * 44, "c2hvcnQ="])
def test_a_bad_key_is_named_by_its_place_and_never_shown(bad: str, settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), bad]

    [fault] = checks.check_key_ring()

    assert fault.id == "councils.E005"
    assert "at place 2" in fault.msg
    assert bad not in f"{fault}"


@pytest.mark.parametrize(
    "trust",
    [
        {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        {"USE_X_FORWARDED_HOST": True},
        {"USE_X_FORWARDED_PORT": True},
    ],
)
def test_headers_of_a_proxy_are_trusted_only_if_there_is_one(trust: dict[str, Any]) -> None:
    with override_settings(**trust, TRUSTED_PROXY_COUNT=0):
        assert ids(checks.check_proxies()) == ["councils.E006"]
    with override_settings(**trust, TRUSTED_PROXY_COUNT=1):
        assert checks.check_proxies() == []


def test_trusting_nobody_is_fine(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.TRUSTED_PROXY_COUNT = 0

    assert checks.check_proxies() == []


class RedisWith:
    """A Redis that knows its policy, or fails."""

    def __init__(self, policy: str | Exception) -> None:
        self.policy = policy
        self.closed = False

    def info(self, section: str) -> dict[str, Any]:
        if isinstance(self.policy, Exception):
            raise self.policy
        return {"maxmemory_policy": self.policy}

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        ("noeviction", []),
        ("allkeys-lru", ["councils.E007"]),
        ("volatile-ttl", ["councils.E007"]),
        (redis.ConnectionError("refused"), ["councils.W001"]),
        (redis.TimeoutError("slow"), ["councils.W001"]),
    ],
)
def test_a_broker_that_may_evict_is_refused_and_one_that_is_down_only_reported(
    policy: str | Exception, found: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://queue:6379/0"
    server = RedisWith(policy)
    monkeypatch.setattr("councils.checks.redis.Redis.from_url", lambda url, **options: server)

    assert ids(checks.check_redis_policy()) == found
    assert server.closed


def test_without_redis_there_is_no_policy_to_check(settings: Settings) -> None:
    settings.REDIS_URL = ""

    assert checks.check_redis_policy() == []


def test_the_password_of_a_broker_that_is_down_is_not_shown(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"

    [warning] = checks.check_redis_policy()

    assert warning.id == "councils.W001"
    assert "hunter2" not in f"{warning}"


@pytest.mark.parametrize(("lease_s", "beat_s", "fails"), [(8, 2, False), (6, 2, False), (5, 2, True), (1, 2, True)])
def test_a_lease_must_outlast_missed_heartbeats(settings: Settings, lease_s: float, beat_s: float, fails: bool) -> None:
    settings.RUN_LEASE_TTL_S, settings.RUN_HEARTBEAT_S = lease_s, beat_s

    assert [message.id for message in checks.check_lease()] == ["councils.E008"] * fails


@pytest.mark.parametrize("entry", ["10.0.0.5:11434", "ollama:11434", "[fd00::5]:8080"])
def test_a_private_host_with_its_port_is_fine(settings: Settings, entry: str) -> None:
    settings.PRIVATE_PROVIDER_HOSTS = [entry]

    assert checks.check_private_hosts() == []


@pytest.mark.parametrize("entry", ["localhost", "http://localhost:80", "fd00::5", ":80", "user@host:80"])
def test_a_private_host_without_its_port_is_refused_by_name(settings: Settings, entry: str) -> None:
    settings.PRIVATE_PROVIDER_HOSTS = ["10.0.0.5:1", entry]

    (message,) = checks.check_private_hosts()
    assert (message.id, message.msg) == ("councils.E009", f"PRIVATE_PROVIDER_HOSTS holds {entry}.")


@pytest.mark.parametrize(
    ("redirect", "header", "found"),
    [(True, None, ["councils.W002"]), (True, ("HTTP_X_FORWARDED_PROTO", "https"), []), (False, None, [])],
)
def test_a_site_that_would_redirect_for_ever_is_reported(redirect: bool, header: Any, found: list[str], settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_PROXY_SSL_HEADER = redirect, header

    assert ids(checks.check_https()) == found
    assert checks.check_https in set[object](registry.registry.deployment_checks)


@pytest.mark.parametrize(
    ("engine", "database", "found"),
    [("celery", "sqlite3", ["councils.W003"]), ("celery", "postgresql", []), ("embedded", "sqlite3", [])],
)
def test_workers_on_a_file_of_one_machine_are_reported(
    engine: str, database: str, found: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUN_ENGINE = engine
    monkeypatch.setitem(connections.settings["default"], "ENGINE", f"django.db.backends.{database}")

    assert ids(checks.check_shared_sqlite()) == found
    assert checks.check_shared_sqlite in set[object](registry.registry.deployment_checks)


@pytest.mark.parametrize(
    ("port", "address", "token", "found"),
    [(9100, "0.0.0.0", "", ["councils.W004"]), (9100, "0.0.0.0", "t", []), (9100, "127.0.0.1", "", []), (0, "0.0.0.0", "", [])],
)
def test_open_figures_of_a_worker_are_reported(port: int, address: str, token: str, found: list[str], settings: Settings) -> None:
    settings.ENABLE_METRICS, settings.METRICS_PORT, settings.METRICS_BIND_ADDRESS, settings.METRICS_TOKEN = True, port, address, token

    assert ids(checks.check_worker_figures()) == found
    assert checks.check_worker_figures in set[object](registry.registry.deployment_checks)


@pytest.mark.parametrize(
    ("policy", "said"),
    [("allkeys-lru", (logging.ERROR, "councils.E007")), (redis.TimeoutError("slow"), (logging.WARNING, "councils.W001"))],
)
def test_a_process_that_starts_logs_what_is_wrong_with_the_broker(
    policy: str | Exception, said: tuple[int, str], settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://queue:6379/0"
    monkeypatch.setattr("councils.checks.redis.Redis.from_url", lambda url, **options: RedisWith(policy))

    checks.tell_redis_policy().join()

    assert [(record.levelno, record.getMessage()[:13]) for record in caplog.records if record.name == checks.__name__] == [said]
