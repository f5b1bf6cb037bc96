"""A question really asked: a real model on this machine, four seats, structured ballots, a chairman; read back through every door."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.kill import settings_of
from benchmarks.killing import ROOT, Server

pytestmark = pytest.mark.full

QUESTION = "Name one reason why the sky looks blue."
PASSWORD = "correct horse battery staple"
# Three minutes more than it takes on two busy cores; only a run that hangs needs so long.
PATIENCE_S = 420.0


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    key: str

    def api(self, path: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.key}"}, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site as ``make run`` makes it, on an empty machine without any key: commands, not fixtures, set it up."""
    folder: Path = tmp_path_factory.mktemp("site")
    keys = ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_BASE_URL")
    generous = {"GENERATION_TIMEOUT": "300", "LLM_FIRST_TOKEN_TIMEOUT": "240", "LLM_RESPONSE_TIMEOUT": "120", "RUN_LEASE_TTL_S": "10"}
    environment = {name: value for name, value in os.environ.items() if name not in keys}
    environment |= settings_of(f"sqlite:///{folder / 'site.sqlite3'}") | generous | {"LOCAL_MODEL_PORT": str(free_port())}
    environment |= {"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": PASSWORD}

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    manage("migrate", "-v0", "--no-input")
    manage("first_run")
    server = Server(folder / "server.log", environment=environment)
    server.start()
    yield Site(f"http://127.0.0.1:{server.port}", manage("create_api_key", "admin").strip())
    server.send(signal.SIGTERM)
    server.close()


@pytest.fixture(scope="module")
def record(site: Site) -> dict[str, Any]:
    """The record of a run that was started through the API and has ended."""
    headers = {"Authorization": f"Bearer {site.key}"}
    started = httpx.post(f"{site.url}/api/v1/runs/", headers=headers, json={"question": QUESTION}, timeout=30)
    assert started.status_code == 202, started.text
    run_id, end = started.json()["id"], time.monotonic() + PATIENCE_S
    while not (found := site.api(f"runs/{run_id}/"))["finished_at"]:
        assert time.monotonic() < end, f"the run does not end: {found['status']}"
        time.sleep(1)
    return found


def test_a_real_model_answers_reviews_and_concludes(record: dict[str, Any]) -> None:
    assert record["status"] == "succeeded", record["reason"]
    assert len(record["opinions"]) == 4
    assert all(opinion["text"] for opinion in record["opinions"])
    assert record["answer"]
    assert record["answer_by"] == "chairman"


def test_its_ballots_are_structured_and_counted(record: dict[str, Any]) -> None:
    counted = [review for review in record["reviews"] if review["status"] == "done"]

    assert len(counted) >= 2
    assert record["tally"]["counted"] == len(counted)
    assert all(review["calls"][0]["structured_mode"] == "json_schema" for review in record["reviews"])


def test_every_call_is_counted_and_free(record: dict[str, Any]) -> None:
    parts = [*record["opinions"], *record["reviews"], record["synthesis"]]
    calls = [call for part in parts for call in part["calls"]]

    assert len(calls) >= 9
    assert all(call["total_tokens"] > 0 for call in calls if call["status"] == "done")
    assert sum(call["total_tokens"] for call in calls if call["total_tokens"]) == record["totals"]["total_tokens"]
    assert float(record["totals"]["cost_usd"]) == 0


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    """A browser's session of the administrator that the first start made."""
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=30) as browser:
        form = browser.get("/sign-in/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token is not None
        fields = {"csrfmiddlewaretoken": token[1], "username": "admin", "password": PASSWORD, "next": "/conversations/"}
        answer = browser.post("/sign-in/", data=fields, headers={"Referer": site.url})
        assert (answer.status_code, answer.url.path) == (200, "/conversations/")
        yield browser


def words(text: str) -> list[str]:
    """Words to look for in a page: Markdown and escapes change the rest."""
    return re.findall(r"[A-Za-z]{4,}", text)[:8]


def test_the_same_record_stands_on_its_page(browser: httpx.Client, record: dict[str, Any]) -> None:
    page = browser.get(f"/runs/{record['id']}/").text

    assert QUESTION in page
    for part in (record, *record["opinions"]):
        text = part.get("answer") or part.get("text") or ""
        assert all(word in page for word in words(text))
    for seat in record["seats"]:
        assert seat["name"] in page


def test_the_same_record_stands_in_the_admin(browser: httpx.Client, record: dict[str, Any]) -> None:
    listing = browser.get("/admin/councils/councilrun/").text
    address = re.search(r'href="(/admin/councils/councilrun/\d+/change/)', listing)
    assert address is not None
    page = browser.get(address[1]).text

    assert record["id"] in page
    assert all(word in page for word in words(record["answer"]))
