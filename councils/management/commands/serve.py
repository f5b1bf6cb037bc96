"""Serve the site: pages, API and sockets by Daphne, the engine beside it in the same process."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

# First: with it comes Daphne, which chooses Twisted's reactor when it is imported.
from councils.management.draining import DrainingServer  # isort: skip
from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from councils.checks import tell_redis_policy
from councils.local_model import LocalModel, LocalModelError, start_local_model
from councils.management.bodies import limit_bodies
from councils.runner import host
from councils.services.clock import Clock
from councils.services.first_run import needs_local_model

MAX_SOCKET_MESSAGE = 64 * 1024
"""Bytes that Daphne reads of one message; the consumer refuses what is over its own, smaller limit with a reason."""

FORM_OVERHEAD = 64 * 1024
"""Bytes by which a body may exceed what Django accepts of it: the rest gets Django's own, kinder refusal."""

HANDSHAKE_S = 30
"""Seconds for a socket to open: hundreds of viewers may come back at once after a restart."""

RESTART_S = 5.0


class Command(BaseCommand):
    help = "Serve the site and drive its runs. Ctrl-C or SIGTERM hands the runs over, finishes what was asked and stops."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.BIND_ADDRESS, help="Address to listen on (default: BIND_ADDRESS).")
        parser.add_argument("--port", type=int, default=settings.PORT, help="Port to listen on (default: PORT).")
        parser.add_argument("--no-engine", action="store_true", help="Serve only: other processes drive the runs.")

    def handle(self, *args: Any, **options: Any) -> None:
        address, port = options["host"], options["port"]
        limit_bodies(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FORM_OVERHEAD)
        _refuse_taken_port(address, port)
        tell_redis_policy()
        # The address was named before, and does not answer yet.
        self.stdout.write("Starting. The address answers as soon as this says that it listens.")
        self.stdout.flush()
        host.take_short_turns()
        engine = settings.RUN_ENGINE == "embedded" and not options["no_engine"]
        with contextlib.ExitStack() as stack:
            if engine:
                self._start_local_model(stack)
                host.current().start()
                stack.callback(host.current().stop)
                clock = Clock()
                clock.start()
                stack.callback(clock.stop)
            ready = partial(self.stdout.write, f"Listening on http://{address}:{port} (Ctrl-C stops)")
            # The engine stops with the first signal, not after the last answer: another process takes the runs over at once.
            _server(address, port, ready=ready, on_stop=host.current().stop).run()

    def _start_local_model(self, stack: contextlib.ExitStack) -> None:
        """Serve the small local model if it is in use. Without it the site still works, and says so."""
        if not needs_local_model() or _answers(settings.LOCAL_MODEL_PORT):
            return
        keeper = _ModelKeeper(settings.LOCAL_MODEL_PORT)
        try:
            keeper.start()
        except LocalModelError as error:
            self.stderr.write(f"{error} Councils that use the local model cannot answer.")
            return
        stack.callback(keeper.stop)


class _ModelKeeper:
    """Keeps the local model's process alive for as long as the site serves."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._model: LocalModel | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        self._model = start_local_model(self._port)
        threading.Thread(target=self._watch, name="local-model", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        if self._model is not None:
            self._model.stop()

    def _watch(self) -> None:
        while self._model is not None:
            self._model.process.wait()
            if self._stopping.wait(RESTART_S):
                return
            with contextlib.suppress(LocalModelError):
                self._model = start_local_model(self._port)


def _server(address: str, port: int, *, ready: Callable[[], Any], on_stop: Callable[[], None]) -> DrainingServer:
    application = import_string(settings.ASGI_APPLICATION)
    return DrainingServer(
        grace_s=settings.SHUTDOWN_GRACE_S,
        on_stop=on_stop,
        # Local profile: files of the apps are served from where they lie; elsewhere WhiteNoise serves what collectstatic gathered.
        application=ASGIStaticFilesHandler(application) if settings.DEBUG else application,
        endpoints=build_endpoint_description_strings(host=address, port=port),
        websocket_max_message_size=MAX_SOCKET_MESSAGE,
        websocket_max_frame_size=MAX_SOCKET_MESSAGE,
        websocket_handshake_timeout=HANDSHAKE_S,
        ready_callable=ready,
        server_name="llm-council",
    )


def _refuse_taken_port(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is in use. Choose another one: make run PORT={port + 1}") from error
            raise CommandError(f"Cannot listen on {address}:{port}: {error.strerror}. Check BIND_ADDRESS and PORT.") from error


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
