"""The commands of the compose file, run by hand: production behind a proxy, each service with its own environment."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import websockets
from cryptography.fernet import Fernet
from websockets.typing import Origin

from benchmarks.chaos.balancer import Balancer
from benchmarks.fake.server import Running
from councils.tests.full.stack import PATIENCE_S, Access, Process, Stack, free_port, installation, until
from deploy.compose import read_compose

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parents[3]
HOST = "council.example"
# Long enough to be handed over in the middle.
STEADY = "tokens=60,rate=20"
VALUES = {
    "SECRET_KEY": "a long and random text that only this test knows 0123456789",
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": HOST,
    "POSTGRES_PASSWORD": "never-used-here",
    "METRICS_TOKEN": "token-of-the-scraper-0123456789-abcdefgh",
    "FLOWER_BASIC_AUTH": "watcher:secret",
    "GRAFANA_ADMIN_PASSWORD": "never-used-here",
}


@dataclass
class Composed:
    """The services of the compose file as processes of this machine. ``moved`` maps what only exists in containers to what is here."""

    services: dict[str, Any]
    moved: Mapping[str, str]
    home: Path
    web_port: int
    flower_port: int
    processes: dict[str, Process] = field(default_factory=dict)

    def environment(self, service: str, host: str) -> dict[str, str]:
        """What the container would have, and nothing of the developer's own."""
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.home), "HOSTNAME": host}
        said = {name: self._here(str(value)) for name, value in self.services[service].get("environment", {}).items()}
        here = {"PORT": str(self.web_port), "BIND_ADDRESS": "127.0.0.1", "METRICS_PORT": "0", "ENV_FILE": os.devnull}
        return own | said | {name: value for name, value in here.items() if name in said or name == "ENV_FILE"}

    def command(self, service: str) -> list[str]:
        return [self._here(word) for word in self.services[service]["command"]]

    def _here(self, text: str) -> str:
        for there, here in self.moved.items():
            text = text.replace(there, here)
        return text

    @contextlib.contextmanager
    def running(self, service: str, *more: str, host: str = "") -> Iterator[Process]:
        name = host or service
        process = subprocess.Popen([*self.command(service), *more], cwd=ROOT, env=self.environment(service, name))
        self.processes[name] = process
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def is_well(self, service: str, *, host: str = "") -> bool:
        """Run the health check of the file as it is written."""
        kind, *check = self.services[service]["healthcheck"]["test"]
        command = check if kind == "CMD" else ["sh", "-c", check[0]]
        here = [self._here(word) for word in command]
        done = subprocess.run(here, cwd=ROOT, env=self.environment(service, host or service), capture_output=True, check=False)
        return done.returncode == 0

    def stops(self, name: str, service: str) -> int:
        """Tell a process to stop, as Docker does; its exit code, if it ends before Docker would kill it."""
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds(self.services[service].get("stop_grace_period", "10s")))


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.fixture
def stack() -> Iterator[Stack]:
    with installation("compose", **{name: VALUES[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}) as stack:
        yield stack


@pytest.fixture
def composed(stack: Stack, tmp_path: Path) -> Composed:
    services = read_compose(VALUES)["services"]
    web_port, flower_port = free_port(), free_port()
    moved = {
        services["web"]["environment"]["DATABASE_URL"]: stack.env["DATABASE_URL"],
        "redis://redis:6379/0": stack.redis.url,
        "redis://redis-cache:6379/0": stack.redis.url,
        "5555": str(flower_port),
        "redis-cli": f"redis-cli -p {stack.redis.port}",
    }
    return Composed(services, moved, tmp_path, web_port, flower_port)


def ask(site: str, access: Access) -> str:
    headers = access.headers | {"Host": HOST}
    answer = httpx.post(f"{site}/api/v1/runs/", headers=headers, json={"council": access.council, "question": "Which?"}, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def watch(port: int, access: Access, run_id: str, *, until_type: str) -> list[dict[str, Any]]:
    """The events of a run up to one of this type, as a page on the site sees them."""
    events: list[dict[str, Any]] = []
    where: dict[str, Any] = {"host": "127.0.0.1", "port": port, "origin": Origin(f"https://{HOST}")}
    cookie = {"Cookie": f"sessionid={access.session}"}
    async with asyncio.timeout(PATIENCE_S), websockets.connect(f"ws://{HOST}/ws/", additional_headers=cookie, **where) as viewer:
        await viewer.send(json.dumps({"type": "subscribe", "run": run_id, "after": 0}))
        async for text in viewer:
            message = json.loads(text)
            if message["type"] == "event":
                events.append(message["event"])
                if message["event"]["type"] == until_type:
                    break
    return events


def owner_of(stack: Stack, run_id: str) -> int:
    """The process that drives a run now, 0 if none does."""
    with psycopg.connect(stack.env["DATABASE_URL"]) as database:
        row = database.execute("SELECT worker FROM councils_councilrun WHERE public_id = %s", [run_id]).fetchone()
    return int(row[0].rpartition(":")[2] or 0) if row else 0


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Balancer]:
    balancer = Balancer([port], proto="https")
    balancer.start()
    try:
        yield balancer
    finally:
        balancer.stop()


def test_every_service_runs_by_its_command_is_well_by_its_check_and_stops_in_time(
    stack: Stack, composed: Composed, fake_provider: Running
) -> None:
    assert (
        subprocess.run(composed.command("migrate"), cwd=ROOT, env=composed.environment("migrate", "migrate"), check=False).returncode == 0
    )
    access = stack.stage(fake_provider.url, behaviour=STEADY)
    with contextlib.ExitStack() as ends:
        for service in ("web", "celery_beat", "flower"):
            ends.enter_context(composed.running(service))
        for host in ("one", "two"):
            # Containers have names of their own.
            ends.enter_context(composed.running("celery_worker", "--hostname", f"celery@{host}", host=host))
        balancer = ends.enter_context(proxy_to(composed.web_port))
        until(lambda: composed.is_well("web"), "the web process is well")
        until(lambda: composed.is_well("flower"), "Flower is well")
        for host in ("one", "two"):
            until(lambda host=host: composed.is_well("celery_worker", host=host), "the worker is well")  # type: ignore[misc]
        assert composed.is_well("redis")

        unproxied = httpx.get(f"http://127.0.0.1:{composed.web_port}/api/v1/councils/", headers={"Host": HOST})
        assert (unproxied.status_code, unproxied.headers["Location"]) == (301, f"https://{HOST}/api/v1/councils/")
        site = f"http://127.0.0.1:{balancer.port}"
        run_id = ask(site, access)
        # The worker that has begun it is told to stop in the middle; the other finishes it, and the viewer sees all of it.
        begun = asyncio.run(watch(balancer.port, access, run_id, until_type="call_started"))
        owner = next(host for host in ("one", "two") if composed.processes[host].pid == owner_of(stack, run_id))
        assert composed.stops(owner, "celery_worker") == 0
        events = asyncio.run(watch(balancer.port, access, run_id, until_type="run_finished"))

        assert events[: len(begun)] == begun
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["status"] == "succeeded"
        assert [event["type"] for event in events].count("run_resumed") == 1
        assert httpx.get(f"http://127.0.0.1:{composed.flower_port}/workers").status_code == 401
        flower = httpx.get(f"http://127.0.0.1:{composed.flower_port}/workers", auth=("watcher", "secret"), timeout=30)
        assert flower.status_code == 200
        assert composed.stops("web", "web") == 0
        for name in ("celery_beat", "flower"):
            composed.stops(name, name)
        assert not (ROOT / "celerybeat.pid").exists()
