"""Logs: one JSON object a line in production, readable lines on a developer's machine, secrets in neither."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

HIDDEN = "[hidden]"
_NAMED = re.compile(
    r"""(?ix)
    (?P<keep>
        (?: authorization | x-api-key | api[_-]?key | password | passwd | secret(?:_key)? | token | cookie | sessionid )
        ["']? \s* [:=] \s* ["']? (?: (?:bearer|basic|token) \s+ )?
      | \b bearer \s+
    )
    [^\s"',;&]+
    """
)
_IN_URL = re.compile(r"(?P<keep>://[^/\s:@]*:)[^/\s@]+(?=@)")
_BY_PREFIX = re.compile(r"(?P<keep>\b)(?:sk|pk|rk|gsk|xai)-[A-Za-z0-9_-]{12,}")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def redacted(text: str) -> str:
    """The text without what looks like a key, a password or a token."""
    for pattern in (_IN_URL, _NAMED, _BY_PREFIX):
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


class ReadableFormatter(logging.Formatter):
    """A line for people, redacted as a whole so that tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object: time, level, logger, message, ``extra`` fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        entry |= {key: redacted(str(value)) for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            entry["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


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
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json" if structured else "readable"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # Strangers can ask for any host as often as they like: they get their 400, the log is not theirs to fill.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "httpx": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
        },
    }
