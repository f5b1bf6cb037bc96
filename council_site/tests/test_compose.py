"""The compose file holds together: names that it uses exist, nothing is open, nothing is secret, nothing is without a bound."""

import re
from typing import Any

import pytest

from deploy.compose import ROOT, Unset, filled, read_compose

PRIVATE = "deploy/compose.private.yml"
SITE = ["migrate", "web", "celery_worker", "celery_beat"]
ENDS = {"migrate"}
OPTIONAL = {"ollama": "ollama"}
# What may be written in a service here. A word that Docker does not know would be refused by it, or silently ignored.
KNOWN = {
    "build", "cap_drop", "command", "depends_on", "deploy", "env_file", "environment", "healthcheck", "image", "init", "logging",
    "networks", "ports", "profiles", "read_only", "restart", "secrets", "security_opt", "shm_size", "stop_grace_period", "stop_signal",
    "tmpfs", "user", "volumes",
}  # fmt: skip
SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "METRICS_TOKEN", "FLOWER_BASIC_AUTH", "GRAFANA_ADMIN_PASSWORD")
VALUES = {name: f"value-of-{name.lower()}" for name in (*SECRETS, "ALLOWED_HOSTS")}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read_compose()


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def names_in_example() -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_every_part_of_the_installation_is_there(services: dict[str, dict[str, Any]]) -> None:
    stores, watchers = {"db", "redis", "redis-cache"}, {"flower", "prometheus", "grafana"}

    assert set(services) == stores | set(SITE) | watchers | set(OPTIONAL)
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == {"ollama": ["ollama"]}


def test_the_file_says_only_what_docker_understands(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert set(service) <= KNOWN, name


def test_the_queue_never_evicts_and_the_cache_may(services: dict[str, dict[str, Any]]) -> None:
    assert option(services["redis"]["command"], "--maxmemory-policy") == "noeviction"
    assert option(services["redis"]["command"], "--appendonly") == "yes"
    assert option(services["redis-cache"]["command"], "--maxmemory-policy") == "allkeys-lru"
    assert option(services["redis-cache"]["command"], "--maxmemory") == "512mb"
    environment = read_compose(VALUES)["x-site"]["environment"]
    assert environment["REDIS_URL"].startswith("redis://redis:")
    assert environment["REDIS_CACHE_URL"].startswith("redis://redis-cache:")


def test_no_secret_is_written_and_none_may_be_left_out(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    for name in SECRETS:
        mentions = re.findall(rf"\$\{{{name}(.*?)\}}", text)
        assert mentions, name
        assert all(mention == f":?Set {name} in .env" or name == "FLOWER_BASIC_AUTH" for mention in mentions)
        with pytest.raises(Unset, match=f"Set {name} in .env"):
            read_compose({other: value for other, value in VALUES.items() if other != name})
    assert compose["secrets"] == {"metrics_token": {"environment": "METRICS_TOKEN"}}


def test_an_empty_variable_takes_its_default() -> None:
    assert filled("${A:-x}/${B:-y}/$${C}/${D}", {"A": "", "B": "b", "D": "d"}) == "x/b/${C}/d"


def test_stores_that_are_somewhere_else_win_and_every_process_has_a_way_to_them() -> None:
    here = read_compose(VALUES)["services"]
    away = {"DATABASE_URL": "postgres://a:b@far/c", "REDIS_URL": "redis://:d@far/0", "REDIS_CACHE_URL": "redis://:d@far:6380/0"}
    there = read_compose(VALUES | away)["services"]

    assert here["web"]["environment"]["DATABASE_URL"] == "postgres://council@db:5432/council"
    assert here["web"]["environment"]["PGPASSWORD"] == VALUES["POSTGRES_PASSWORD"]
    for name in SITE:
        assert there[name]["environment"].items() >= away.items()
        assert "outside" in there[name]["networks"]
    assert option(there["flower"]["command"], "--broker") == away["REDIS_URL"]
    assert option(here["flower"]["command"], "--broker") == here["web"]["environment"]["REDIS_URL"]


def test_other_machines_reach_the_stores_by_a_private_address_and_with_a_password_only(services: dict[str, dict[str, Any]]) -> None:
    """What ``deploy/compose.private.yml`` adds for a machine whose stores others share."""
    added = read_compose(file=PRIVATE)["services"]

    ports = {name: service["ports"] for name, service in added.items()}
    address = "${PRIVATE_ADDRESS:?Set PRIVATE_ADDRESS in .env}"
    assert ports == {
        "db": [f"{address}:5432:5432"],
        "redis": [f"{address}:6379:6379"],
        "redis-cache": [f"{address}:6380:6379"],
    }
    password = "${REDIS_PASSWORD:?Set REDIS_PASSWORD in .env}"
    for name in ("redis", "redis-cache"):
        assert added[name]["command"] == [*services[name]["command"], "--requirepass", password]
        # By this variable the health check signs in.
        assert added[name]["environment"] == {"REDISCLI_AUTH": password}
    assert added["db"].keys() == {"networks", "ports"}
    assert {network for service in added.values() for network in service["networks"]} == {"outside"}


def test_every_variable_of_the_file_is_documented(compose: dict[str, Any]) -> None:
    content = (ROOT / "docker-compose.yml").read_text() + (ROOT / PRIVATE).read_text()

    assert set(re.findall(r"\$\{([A-Z0-9_]+)", content)) <= names_in_example()
    # libpq's own.
    assert set(compose["x-site"]["environment"]) - {"PGPASSWORD"} <= names_in_example()
    # Some versions of Compose take the first brace for the end of a default.
    assert not re.findall(r"\$\{[^}]*\$\{", content)


def test_services_start_after_what_they_need_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            ready = "service_completed_successfully" if needed in ENDS else "service_healthy"
            assert how["condition"] == ready, f"{name} needs {needed}"
            assert needed in ENDS or services[needed]["healthcheck"]["test"]
    for name in set(SITE) - {"migrate"}:
        assert {"migrate", "redis", "redis-cache"} <= set(services[name]["depends_on"])


def test_every_service_that_answers_is_asked_whether_it_is_well(services: dict[str, dict[str, Any]]) -> None:
    silent = {name for name, service in services.items() if service["healthcheck"].get("disable")}

    assert silent == {"migrate", "celery_beat"}
    for name in set(services) - silent:
        check = services[name]["healthcheck"]
        assert set(check) == {"test", "interval", "timeout", "start_period", "retries"}, name
    assert services["web"]["healthcheck"]["test"] == ["CMD", "python", "deploy/probe.py", "/healthz"]


def test_all_processes_of_the_site_share_one_image_and_one_environment(
    services: dict[str, dict[str, Any]], compose: dict[str, Any]
) -> None:
    for name in SITE:
        assert services[name]["image"] == "llm-council"
        assert services[name]["environment"].items() >= compose["x-site"]["environment"].items()


def test_what_is_published_is_published_to_this_machine_only(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == {
        "web": ["127.0.0.1:${PORT:-8000}:8000"],
        "flower": ["127.0.0.1:${FLOWER_PORT:-5555}:5555"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }


def test_nobody_outside_reaches_the_stores(services: dict[str, dict[str, Any]], compose: dict[str, Any]) -> None:
    inner = {name for name, network in compose["networks"].items() if network and network["internal"]}

    assert inner == {"data", "metrics"}
    for name in ("db", "redis", "redis-cache"):
        assert services[name]["networks"] == ["data"]
    assert "data" not in services["prometheus"]["networks"] + services["grafana"]["networks"] + services["ollama"]["networks"]
    # Who calls providers or is published needs a way out.
    for name in ("web", "celery_worker", "flower", "grafana"):
        assert "outside" in services[name]["networks"]


def test_flower_knows_the_broker_and_no_secret_of_the_site(services: dict[str, dict[str, Any]]) -> None:
    flower = services["flower"]

    assert set(flower["environment"]) == {"FLOWER_BASIC_AUTH"}
    assert "env_file" not in flower
    assert "--app" not in flower["command"]


def test_containers_have_no_rights_that_they_do_not_need(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"]
        # Compose cannot put a secret of the environment into a read-only container.
        assert service["read_only"] is (name != "prometheus")
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert services["db"]["user"] == "postgres"
    assert services["redis"]["user"] == services["redis-cache"]["user"] == "redis"


def test_everything_that_keeps_running_has_a_bound_and_comes_back(services: dict[str, dict[str, Any]]) -> None:
    for name in set(services) - ENDS:
        assert services[name]["deploy"]["resources"]["limits"]["memory"], name
        assert services[name]["restart"] == "unless-stopped"


def test_what_redis_may_hold_fits_its_container(services: dict[str, dict[str, Any]]) -> None:
    assert megabytes(option(services["redis"]["command"], "--maxmemory")) * 2 <= megabytes(memory_of(services["redis"]))
    assert megabytes(option(services["redis-cache"]["command"], "--maxmemory")) < megabytes(memory_of(services["redis-cache"]))


def memory_of(service: dict[str, Any]) -> str:
    return str(service["deploy"]["resources"]["limits"]["memory"])


def megabytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(g|m)b?", text).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit == "g" else 1)


def test_every_network_volume_and_secret_that_is_used_is_declared_and_the_other_way_round(
    services: dict[str, dict[str, Any]], compose: dict[str, Any]
) -> None:
    mounts = [mount.split(":") for service in services.values() for mount in service.get("volumes", ())]

    assert {source for source, *_ in mounts if not source.startswith(".")} == set(compose["volumes"])
    assert {network for service in services.values() for network in service["networks"]} == set(compose["networks"])
    assert {secret for service in services.values() for secret in service.get("secrets", ())} == set(compose["secrets"])


def test_files_that_are_mounted_exist_and_cannot_be_written(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for mount in (mount for mount in service.get("volumes", ()) if mount.startswith(".")):
            source, _, mode = mount.split(":")
            assert (ROOT / source).is_dir(), source
            assert mode == "ro"


def test_data_that_must_last_lies_in_volumes(services: dict[str, dict[str, Any]]) -> None:
    lasting = {name: mount.split(":")[1] for name, service in services.items() for mount in service.get("volumes", ()) if mount[0] != "."}

    assert lasting == {
        "db": "/var/lib/postgresql/data",
        "redis": "/data",
        "prometheus": "/prometheus",
        "grafana": "/var/lib/grafana",
        "ollama": "/models",
    }


def test_images_of_others_have_a_version(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert service["image"] == "llm-council" or re.fullmatch(r"[a-z/-]+:v?\d+(\.\d+)*", service["image"])


def test_the_schedule_writes_no_file_in_a_container_that_cannot_be_written(services: dict[str, dict[str, Any]]) -> None:
    assert "--pidfile=" in services["celery_beat"]["command"]
