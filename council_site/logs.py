"""Logs: one JSON object a line in production, readable lines on a developer's machine, secrets in neither.

Every line says which request, run and call it was written for. Nobody can forge a line: what begins one is ours alone.
"""

import json
import logging
import math
import re
import time
from datetime import UTC, datetime
from typing import Any

from councils.telemetry import scope

HIDDEN = "[hidden]"
_NAMED = re.compile(
    r"""(?ix)
    (?P<keep>
        (?: authorization | x-api-key | api[_-]?key | password | passwd | secret(?:_key)? | token | cookie | sessionid )
        ["']? \s* [:=] \s* ["']? (?: (?:bearer|basic|token) \s+ )?
      | \b bearer \s+
      | [?&] key =
    )
    [^\s"',;&]+
    """
)
_IN_URL = re.compile(r"(?P<keep>://[^/\s:@]*:)[^/\s@]+(?=@)")
_BY_PREFIX = re.compile(r"(?P<keep>\b)(?:(?:sk|pk|rk|gsk|xai)-|AIza|hf_)[A-Za-z0-9_-]{12,}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
AT_HAND = "council_scope"
SELDOM_S = 300.0
MOST_MESSAGES = 100
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", AT_HAND, *scope.NAMES}


def redacted(text: str) -> str:
    """The text without what looks like a key, a password or a token."""
    for pattern in (_IN_URL, _NAMED, _BY_PREFIX):
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


def visible(text: str) -> str:
    """The text with its control characters and its line ends of every kind written out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class ScopeFilter(logging.Filter):
    """Notes on a record what the work at hand is for. For handlers: they see every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__[AT_HAND] = scope.everything()
        return True


def scope_of(record: logging.LogRecord) -> dict[str, str]:
    """The ids of request, run and call: those that the record names itself, else those at hand.

    Django hands its whole request over by the same name, which would be written with its address and query.
    """
    said = {name: str(value) for name in scope.NAMES if isinstance(value := record.__dict__.get(name), str | int)}
    return {**record.__dict__.get(AT_HAND, {}), **said}


class SeldomFilter(logging.Filter):
    """Lets each message of some loggers through once in ``SELDOM_S`` seconds: who repeats what is known already fills a log."""

    def __init__(self, *loggers: str) -> None:
        super().__init__()
        self._loggers = loggers
        self._told: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._loggers):
            return True
        key, now = (record.name, record.msg), time.monotonic()
        if now - self._told.get(key, -SELDOM_S) < SELDOM_S:
            return False
        if len(self._told) >= MOST_MESSAGES:
            self._told.clear()
        self._told[key] = now
        return True


class RefusalFilter(logging.Filter):
    """Leaves the traceback out where Django tells of a refused request: a 403 is an answer, not a fault, and one line says which."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True


class ReadableFormatter(logging.Formatter):
    """A line for people, then the lines of a traceback, indented. Redacted as a whole so that tracebacks are covered too."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        told = " ".join(f"{name}={value}" for name, value in scope_of(record).items())
        return visible(super().formatMessage(record) + (f" [{told}]" if told else ""))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  | {visible(line)}" for line in super().formatException(ei).splitlines())

    def format(self, record: logging.LogRecord) -> str:
        # A formatter that came before may have kept its own, unindented version.
        record.exc_text = None
        return redacted(super().format(record))


def _told(value: object) -> object:
    """A field's value in JSON: numbers as they are, everything else as text."""
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_number else redacted(str(value))


class JsonFormatter(logging.Formatter):
    """One JSON object: time, level, logger, message, ``extra`` fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        entry |= {key: _told(value) for key, value in record.__dict__.items() if key not in _STANDARD}
        entry |= {name: redacted(value) for name, value in scope_of(record).items()}
        if record.exc_info:
            entry["traceback"] = redacted(self.formatException(record.exc_info))
        return visible(json.dumps(entry, ensure_ascii=False))


def logging_config(*, level: str, structured: bool) -> dict[str, Any]:
    """Django's ``LOGGING``: everything goes to standard error through one formatter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "council_site.logs.JsonFormatter"},
            "readable": {
                "()": "council_site.logs.ReadableFormatter",
                "format": "{asctime} {levelname:<7} {name}: {message}",
                "style": "{",
                "datefmt": "%H:%M:%S",
            },
        },
        "filters": {
            "scope": {"()": "council_site.logs.ScopeFilter"},
            "refusal": {"()": "council_site.logs.RefusalFilter"},
            # A collector of traces that is away fails with every batch.
            "seldom": {"()": lambda: SeldomFilter("opentelemetry")},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json" if structured else "readable",
                "filters": ["scope", "seldom", "refusal"],
            },
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # On a developer's machine a line for each request would push away what `make run` has said, the password above all.
            "councils.access": {"level": level if structured or level == "DEBUG" else "WARNING"},
            # Strangers can ask for any host as often as they like: they get their 400, the log is not theirs to fill.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Every name that a template looks for in vain, with all that the page knows: too much, and not for a log.
            "django.template": {"level": "INFO"},
            "celery.utils.functional": {"level": "INFO"},
            "httpx": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "opentelemetry": {"level": "ERROR"},
            # Three lines every few seconds for jobs that mostly find nothing to do; what they do find they say themselves.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
        },
    }
