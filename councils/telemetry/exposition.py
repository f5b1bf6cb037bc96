"""What Prometheus reads: the figures of this process, or of all processes of this host, as text; and a worker's own small server of them.

``PROMETHEUS_MULTIPROC_DIR`` (read by the client library when it is imported) is the folder that the processes of one host share.
"""

import hmac
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psutil
from django.conf import settings
from django.db import connection
from prometheus_client import REGISTRY, Metric, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from councils.telemetry import metrics

logger = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
IDLE_S = 10.0
"""A connection to a worker's server that says nothing for so long is closed."""

# When a series began to count is nothing that a query of ours asks.
disable_created_metrics()


def shared_folder() -> str:
    """The folder in which the processes of this host count together; empty where each counts for itself."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")


def exposition(*more: Collector) -> bytes:
    """All figures in Prometheus' text format, with those of ``more``."""
    metrics.note_pool(connection)
    counted: Collector = REGISTRY
    if folder := shared_folder():
        forget_the_dead(Path(folder))
        counted = MultiProcessCollector(None, folder)
    return generate_latest(_Together(counted, *more))


class _Together(Collector):
    def __init__(self, *parts: Collector) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield from part.collect()


def forget_the_dead(folder: Path) -> None:
    """A process that was killed has no open requests any more; what it has counted stays."""
    for pid in {file.stem.rpartition("_")[2] for file in folder.glob("gauge_live*_*.db")}:
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            mark_process_dead(pid)


def is_token(told: str) -> bool:
    """Whether an ``Authorization`` header carries ``METRICS_TOKEN``. Never where there is none."""
    scheme, _, token = told.partition(" ")
    wanted = settings.METRICS_TOKEN or ""
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), wanted.encode())


Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def worker_application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """``GET /metrics`` of a worker, and nothing else. With ``METRICS_TOKEN`` set it asks for it."""
    allowed = not settings.METRICS_TOKEN or is_token(environ.get("HTTP_AUTHORIZATION", ""))
    if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or not allowed:
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []
    body = exposition()
    start_response("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
    return [body]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, *_: Any) -> None:
        """A scrape every few seconds is no news."""


class WorkerServer:
    """Serves a worker's figures from a thread of its own."""

    def __init__(self) -> None:
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Listen on ``METRICS_PORT``, if it is one. A port that is taken is a warning: the worker works without."""
        if not settings.ENABLE_METRICS or not settings.METRICS_PORT or self._server is not None:
            return
        address = (settings.METRICS_BIND_ADDRESS, settings.METRICS_PORT)
        try:
            self._server = make_server(*address, worker_application, server_class=_Server, handler_class=_Handler)
        except OSError as error:
            logger.warning("no metrics of this worker: cannot listen on %s:%d (METRICS_PORT): %s", *address, error.strerror or error)
            return
        threading.Thread(target=self._server.serve_forever, name="council-metrics", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


worker_server = WorkerServer()
