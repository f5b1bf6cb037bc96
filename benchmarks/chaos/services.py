"""A PostgreSQL and a Redis of our own, on free ports, to be hurt. Needs no Django."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import redis

START_PATIENCE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], bool], what: str, *, patience_s: float = START_PATIENCE_S) -> None:
    """Look ten times a second. Raises ``TimeoutError`` with ``what`` was waited for."""
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain: {what}")
        time.sleep(0.1)


class RedisServer:
    """Keeps its port over deaths. Keeps nothing else: it has no file."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, policy: str = "noeviction") -> None:
        """Start it and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        log = (self._folder / "redis.log").open("ab")
        with log:
            self._process = subprocess.Popen([*command, "--maxmemory-policy", policy, "--dir", self._folder], stdout=log, stderr=log)
        wait_until(self.answers, "Redis answers")

    def answers(self) -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """Its connections break, and nobody listens at its port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """The kernel still accepts connections for it, and nothing is ever answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """It forgets queues, caches and limits."""
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            client.flushall()

    def close(self) -> None:
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class PostgresServer:
    """A cluster of its own in ``folder``. Durable as a real one: what it has committed outlives ``crash``."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/council"
        self._folder = folder
        self._binaries = _postgres_binaries()

    def start(self) -> None:
        """Start it and wait until it answers; the first time it is made, with an empty database."""
        new = not self._folder.exists()
        if new:
            self._make()
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self._run("pg_ctl", "-D", self._folder, "-w", "-l", self._folder / "log", "-o", options, "start")
        if new:
            self._run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "council")

    def crash(self) -> None:
        """End it without any shutdown: connections break, and the next start recovers from the log."""
        self._run("pg_ctl", "-D", self._folder, "-m", "immediate", "stop")

    def close(self) -> None:
        if (self._folder / "postmaster.pid").exists():
            self.crash()

    def _make(self) -> None:
        self._folder.mkdir()
        if _is_root():
            shutil.chown(self._folder, "postgres", "postgres")
        self._run("initdb", "-D", self._folder, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._binaries / program), *map(str, arguments)]
        # It refuses to run as root.
        command = ["su", "postgres", "-s", "/bin/sh", "-c", shlex.join(command)] if _is_root() else command
        # The server would hold a pipe open for as long as it lives.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


def _is_root() -> bool:
    return os.geteuid() == 0


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    if initdb is None:
        raise FileNotFoundError("PostgreSQL is needed and not installed. On Debian: apt-get install postgresql")
    return Path(initdb).parent


@dataclass(frozen=True, slots=True)
class Ground:
    """What an installation stands on. ``folder`` is for logs and files, and is removed at the end."""

    folder: Path
    postgres: PostgresServer
    redis: RedisServer
