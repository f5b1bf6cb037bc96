"""The files that run the site agree with each other and keep their promises."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
SITE = ["migrate", "web", "celery_worker", "celery_beat"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def names_in_example() -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_queue_never_evicts_and_the_cache_may(compose: dict[str, Any]) -> None:
    assert option(compose["services"]["redis"]["command"], "--maxmemory-policy") == "noeviction"
    assert option(compose["services"]["redis-cache"]["command"], "--maxmemory-policy") == "allkeys-lru"
    environment = compose["x-site"]["environment"]
    assert environment["REDIS_URL"].startswith("redis://redis:")
    assert environment["REDIS_CACHE_URL"].startswith("redis://redis-cache:")


def test_no_secret_is_written_in_the_compose_file(compose: dict[str, Any]) -> None:
    for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS"):
        assert compose["x-site"]["environment"][name].startswith(f"${{{name}:?")
    assert compose["services"]["db"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert "${POSTGRES_PASSWORD:?" in compose["x-site"]["environment"]["DATABASE_URL"]


def test_every_variable_of_the_compose_file_is_documented(compose: dict[str, Any]) -> None:
    content = (ROOT / "docker-compose.yml").read_text()

    assert set(re.findall(r"\$\{([A-Z0-9_]+)", content)) <= names_in_example()
    assert set(compose["x-site"]["environment"]) <= names_in_example()


def test_services_start_after_what_they_need_is_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]

    for name in ("db", "redis", "redis-cache"):
        assert services[name]["healthcheck"]["test"]
    assert services["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"
    for name in ("web", "celery_worker", "celery_beat"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_all_processes_of_the_site_share_one_image_and_one_environment(compose: dict[str, Any]) -> None:
    for name in SITE:
        assert compose["services"][name]["image"] == "llm-council"
        assert compose["services"][name]["environment"] == compose["x-site"]["environment"]


def test_only_the_site_is_published_and_only_to_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}

    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_the_image_copies_only_what_is_there_and_let_in() -> None:
    copied = [
        line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert copied
    assert set(copied) == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    assert lines.index("USER council") < next(at for at, line in enumerate(lines) if line.startswith("CMD "))


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "deploy/requirements-local-model.txt"])
def test_every_requirement_is_pinned_once(file: str) -> None:
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith(("#", "-r "))]

    names = [re.fullmatch(r"([A-Za-z0-9_.-]+)(\[[a-z,]+\])?==\S+", line) for line in lines]
    assert all(names)
    assert len({name[1].lower() for name in names if name}) == len(lines)


@pytest.mark.parametrize("script", [".ci/run", "deploy/step.sh", "deploy/with-services.sh", "deploy/check-production.sh"])
def test_a_script_can_be_executed_and_parsed(script: str) -> None:
    path = ROOT / script

    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_a_step_that_works_says_one_line() -> None:
    step = subprocess.run([ROOT / "deploy/step.sh", "Doing it", "echo", "noise"], capture_output=True, text=True, check=True)

    assert re.fullmatch(r"  Doing it \.\.\. \d+ s\n", step.stdout)
    assert step.stderr == ""


def test_a_step_that_fails_says_everything_and_fails() -> None:
    step = subprocess.run(
        [ROOT / "deploy/step.sh", "Doing it", "sh", "-c", "echo reason; exit 3"], capture_output=True, text=True, check=False
    )

    assert step.returncode == 3
    assert step.stdout.endswith("failed\n")
    assert step.stderr == "reason\n"


def test_the_site_says_in_a_sentence_which_secret_is_missing() -> None:
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull}

    start = subprocess.run([sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert start.returncode != 0
    assert (
        start.stderr.strip()
        .splitlines()[-1]
        .endswith("SECRET_KEY is not set. Set it to a long random text, or set SITE_PROFILE=local to try the site on this machine.")
    )


def test_the_shipped_production_settings_pass_every_deployment_check() -> None:
    checked = subprocess.run([ROOT / "deploy/check-production.sh", sys.executable], cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_deployment_checks_speak_when_a_protection_is_taken_away() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "short",
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "council.example",
        "SECURE_HSTS_SECONDS": "0",
        "DEBUG": "true",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    checked = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert checked.returncode != 0
    assert {"security.W004", "security.W009", "security.W018"} <= set(re.findall(r"\((security\.W\d+)\)", checked.stderr))
