"""The files that run the site agree with each other and keep their promises."""

import os
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def test_the_image_copies_only_what_is_there_and_let_in() -> None:
    copied = [
        line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    # The folder is let in so that one file of it can be; then the others are shut out again.
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")} - {"deploy"}

    assert copied
    assert set(copied) == let_in
    assert "deploy/*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    assert lines.index("USER council") < next(at for at, line in enumerate(lines) if line.startswith("CMD "))


def test_the_image_can_speak_every_language_of_the_site() -> None:
    assert "COPY locale locale" in (ROOT / "Dockerfile").read_text().splitlines()
    for folder in (ROOT / "locale").iterdir():
        assert (folder / "LC_MESSAGES" / "django.mo").is_file()


def test_no_secret_can_stay_in_a_layer_of_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert not re.findall(r"^ARG |^ENV .*(?:KEY|PASSWORD|TOKEN)", text, flags=re.MULTILINE)
    assert ".env" not in {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}


class Answering(BaseHTTPRequestHandler):
    """Answers as told by its server, and keeps the headers that it was asked with."""

    server: "Told"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Host"], self.headers["X-Forwarded-Proto"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Told(HTTPServer):
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[tuple[str, str, str]] = []


@pytest.mark.parametrize(("status", "hosts", "host"), [(200, "council.example,web", "council.example"), (503, ".b.example", "b.example")])
def test_the_probe_of_a_container_says_whether_its_server_is_well(status: int, hosts: str, host: str) -> None:
    with Told() as server:
        server.status = status
        threading.Thread(target=server.handle_request, daemon=True).start()
        environment = {"PATH": os.environ["PATH"], "ALLOWED_HOSTS": hosts, "PORT": str(server.server_port)}
        probe = [sys.executable, "deploy/probe.py", "/healthz"]
        asked = subprocess.run(probe, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert server.asked == [("/healthz", host, "https")]
    assert (asked.returncode, asked.stderr) == ((0, "") if status == 200 else (1, "answered 503\n"))


def test_the_probe_of_a_server_that_is_away_fails_with_a_sentence() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = str(unheard.getsockname()[1])
        asked = subprocess.run([sys.executable, ROOT / "deploy/probe.py", "/", port], capture_output=True, text=True, check=False)

    assert asked.returncode == 1
    assert asked.stderr.startswith("no answer: ")


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "deploy/requirements-local-model.txt"])
def test_every_requirement_is_pinned_once(file: str) -> None:
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith(("#", "-r "))]

    names = [re.fullmatch(r"([A-Za-z0-9_.-]+)(\[[a-z,]+\])?==\S+", line) for line in lines]
    assert all(names)
    assert len({name[1].lower() for name in names if name}) == len(lines)


@pytest.mark.parametrize(
    "script", [".ci/run", "deploy/step.sh", "deploy/with-services.sh", "deploy/check-production.sh", "deploy/backup.sh"]
)
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


def test_the_proxies_let_through_what_the_site_takes_and_nothing_that_visitors_say_of_themselves() -> None:
    nginx, caddy = (ROOT / "deploy/proxy/nginx.conf").read_text(), (ROOT / "deploy/proxy/Caddyfile").read_text()
    headers = (ROOT / "deploy/proxy/council-proxy.conf").read_text()

    sizes = [re.search(r"client_max_body_size (\d+)m;", nginx), re.search(r"max_size (\d+)MB", caddy)]
    assert all(size and int(size[1]) * 1_000_000 > settings.DATA_UPLOAD_MAX_MEMORY_SIZE for size in sizes)
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in headers
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in headers
    assert "header_up X-Forwarded-For {remote_host}" in caddy
    assert {"client_header_timeout", "client_body_timeout", "limit_conn", "limit_req"} <= set(
        re.findall(r"^ +(\w+) ", nginx, flags=re.MULTILINE)
    )
    assert {"read_header", "read_body"} <= set(re.findall(r"^\s+(\w+) ", caddy, flags=re.MULTILINE))
    # Sockets are upgraded, and answers are passed on as they come.
    assert "proxy_set_header Upgrade $http_upgrade;" in headers
    assert "proxy_buffering off;" in headers
    assert "flush_interval -1" in caddy
