"""What the site counts for Prometheus: every name and its labels, and one function for each thing that happens.

Metrics are comfort: nothing in here raises, whatever it is handed, and ``ENABLE_METRICS=false`` makes every function return at once. A
leaf: whoever counts imports it, it imports nobody. Labels are bounded: models and providers by the names that staff gave them (beyond
``MOST_MODELS`` of them: ``other``), addresses by the name of their pattern, methods and kinds from fixed lists.

Each process counts for itself. With ``PROMETHEUS_MULTIPROC_DIR`` the processes of one host share what they count (files there).
What the database knows is read when somebody asks (``councils.telemetry.gauges``).
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ParamSpec

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import Counter, Gauge, Histogram

logger = logging.getLogger(__name__)
P = ParamSpec("P")

OTHER = "other"
MOST_MODELS = 300
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATEMENTS = ("select", "insert", "update", "delete", OTHER)

ENDS = ("succeeded", "partial", "failed", "cancelled")
"""How a run can end."""
ALARMING = ("done", "refused", "broken")
"""How the calls ended of which an alert tells good from bad."""

PAGE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MODEL_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
QUERY_S = (0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
PLACES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)

HTTP_REQUESTS = Counter("http_requests_total", "Requests answered.", ["method", "route", "status"])
HTTP_ANSWERS = Counter("http_answers_total", "Requests answered; error: with a status of 500 or more.", ["outcome"])
HTTP_DURATION = Histogram("http_request_duration_seconds", "Time to the end of the answer.", ["method", "route"], buckets=PAGE_S)
ACTIVE_REQUESTS = Gauge("active_requests", "Requests that are being answered.", multiprocess_mode="livesum")
WEBSOCKETS = Gauge("websocket_connections", "Open sockets of viewers.", multiprocess_mode="livesum")

LLM_REQUESTS = Counter(
    "llm_requests_total", "Calls to models by how they ended; cached: nothing was sent.", ["model", "provider", "status"]
)
LLM_DURATION = Histogram("llm_request_duration_seconds", "Calls that were sent, to their end.", ["model", "provider"], buckets=MODEL_S)
LLM_FIRST_TOKEN = Histogram("llm_first_token_seconds", "From sending to the first text.", ["model", "provider"], buckets=MODEL_S)
LLM_TOKENS = Counter("llm_tokens_total", "Tokens of calls that were sent, as reported or estimated.", ["type"])
LLM_COST = Counter("llm_cost_total", "USD known to be spent on calls.", ["model", "provider"])
LLM_ERRORS = Counter("llm_errors_total", "Calls that failed, by kind of error.", ["model", "provider", "type"])

SESSIONS = Counter("council_sessions_total", "Runs that ended, by their status.", ["status"])
STAGE_DURATION = Histogram("council_stage_duration_seconds", "Time a run spent in a stage.", ["stage"], buckets=MODEL_S)
RANKINGS = Histogram("peer_review_rankings", "Places that a model's answers took in peer review; 1 is best.", ["model"], buckets=PLACES)

CACHE_OPERATIONS = Counter("cache_operations_total", "Uses of the response cache.", ["operation", "result"])

DB_OPERATIONS = Counter("db_operations_total", "Statements sent to the database.", ["operation"])
DB_DURATION = Histogram("db_operation_duration_seconds", "Time a statement took.", ["operation"], buckets=QUERY_S)
DB_POOL = Gauge("db_connection_pool_size", "Connections to the database that are open.", multiprocess_mode="livesum")
DB_POOL_IDLE = Gauge("db_connection_pool_idle", "Open connections that nobody uses now.", multiprocess_mode="livesum")
DB_POOL_WAITING = Gauge("db_connection_pool_waiting", "Requests that wait for a connection.", multiprocess_mode="livesum")

# To Prometheus, what appears with a first value has not grown. So what alerts ask is there from the start, at 0.
_answered, _erred = HTTP_ANSWERS.labels("good"), HTTP_ANSWERS.labels("error")
_ended = {status: SESSIONS.labels(status) for status in ENDS}

_models: set[tuple[str, str]] = set()
_models_lock = threading.Lock()


def _never_raises(count: Callable[P, None]) -> Callable[P, None]:
    """Nothing is counted where metrics are off; what goes wrong with counting is logged, and that is all."""

    @functools.wraps(count)
    def counted(*args: P.args, **kwargs: P.kwargs) -> None:
        if not settings.ENABLE_METRICS:
            return
        try:
            count(*args, **kwargs)
        except Exception:  # A full disk under the files of several processes, for instance: no run and no request may end of it.
            logger.debug("not counted: %s", count.__name__, exc_info=True)

    return counted


def bounded(model: str, provider: str) -> tuple[str, str]:
    """The pair as labels: itself, or ``other`` when there are too many of them already."""
    pair = (model[:100] or OTHER, provider[:100] or OTHER)
    if pair in _models:
        return pair
    with _models_lock:
        if len(_models) >= MOST_MODELS:
            return OTHER, OTHER
        _models.add(pair)
    return pair


@_never_raises
def request_began() -> None:
    """A request came."""
    ACTIVE_REQUESTS.inc()


@_never_raises
def request_ended(*, method: str, route: str, status: int, took_s: float) -> None:
    """It was answered to the end; ``route`` is the name of an address pattern, empty for an address that is none."""
    method, route = method if method in METHODS else OTHER, route or OTHER
    ACTIVE_REQUESTS.dec()
    HTTP_REQUESTS.labels(method, route, str(status)).inc()
    (_erred if status >= 500 else _answered).inc()
    HTTP_DURATION.labels(method, route).observe(took_s)


@_never_raises
def socket_opened() -> None:
    """A viewer's socket was accepted."""
    WEBSOCKETS.inc()


@_never_raises
def socket_closed() -> None:
    """It is closed."""
    WEBSOCKETS.dec()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How a call ended that was sent. ``status`` is that of the books; what is unknown is ``None`` and not counted.

    A ``counted`` one was counted as orphaned before: what it brought is added, and no second call.
    """

    status: str
    error: str = ""
    took_ms: int | None = None
    first_token_ms: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: Decimal | None = None
    counted: bool = False


@_never_raises
def models_known(pairs: Iterable[tuple[str, str]]) -> None:
    """These models, each with its provider, may be asked: what alerts count of them begins at 0."""
    for model, provider in pairs:
        labels = bounded(model, provider)
        for status in ALARMING:
            LLM_REQUESTS.labels(*labels, status)


@_never_raises
def call_ended(*, model: str, provider: str, end: CallEnd) -> None:
    """A call was booked."""
    model, provider = bounded(model, provider)
    if not end.counted:
        LLM_REQUESTS.labels(model, provider, end.status).inc()
    if end.took_ms is not None:
        LLM_DURATION.labels(model, provider).observe(end.took_ms / 1000)
    if end.first_token_ms is not None:
        LLM_FIRST_TOKEN.labels(model, provider).observe(end.first_token_ms / 1000)
    LLM_TOKENS.labels("prompt").inc(end.prompt_tokens or 0)
    LLM_TOKENS.labels("completion").inc(end.completion_tokens or 0)
    LLM_COST.labels(model, provider).inc(float(end.cost_usd or 0))
    if end.error:
        LLM_ERRORS.labels(model, provider, end.error).inc()


@_never_raises
def cost_corrected(*, model: str, provider: str, cost_usd: Decimal) -> None:
    """What a call cost has become known after its end."""
    LLM_COST.labels(*bounded(model, provider)).inc(float(cost_usd))


@_never_raises
def call_cached(*, model: str, provider: str) -> None:
    """A step took an earlier answer: no call was made."""
    LLM_REQUESTS.labels(*bounded(model, provider), "cached").inc()


@_never_raises
def session_ended(status: str) -> None:
    """A run has ended, for all to see."""
    _ended[status].inc()


@_never_raises
def stage_took(stage: str, took_s: float) -> None:
    """A run spent so long in a stage."""
    STAGE_DURATION.labels(stage).observe(took_s)


@_never_raises
def ranked(*, model: str, provider: str, place: int) -> None:
    """A model's answer took this place, from 1."""
    RANKINGS.labels(bounded(model, provider)[0]).observe(place)


@_never_raises
def cache_used(operation: str, result: str, times: int = 1) -> None:
    """``get`` with ``hit`` or ``miss``, ``set`` and ``delete`` with ``ok``, any with ``error``."""
    CACHE_OPERATIONS.labels(operation, result).inc(times)


_statements = {name: (DB_OPERATIONS.labels(name), DB_DURATION.labels(name)) for name in STATEMENTS}


def watch_statements(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """An ``execute_wrapper`` that counts each statement; one that fails counts too."""
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        _statement_ended(sql, time.perf_counter() - began)


@_never_raises
def _statement_ended(sql: str, took_s: float) -> None:
    count, duration = _statements.get(str(sql)[:6].lower()) or _statements[OTHER]
    count.inc()
    duration.observe(took_s)


def watch_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Count what this connection does from now on."""
    if settings.ENABLE_METRICS and watch_statements not in connection.execute_wrappers:
        connection.execute_wrappers.append(watch_statements)


@_never_raises
def note_pool(connection: BaseDatabaseWrapper) -> None:
    """Note how full this process's pool is. A database without a pool has none: 0."""
    pool = getattr(connection, "pool", None)
    found = pool.get_stats() if pool is not None else {}
    DB_POOL.set(found.get("pool_size", 0))
    DB_POOL_IDLE.set(found.get("pool_available", 0))
    DB_POOL_WAITING.set(found.get("requests_waiting", 0))
