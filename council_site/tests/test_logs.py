"""Logs: one JSON object a line, and no secrets in it."""

import json
import logging
from typing import Any

import pytest

from council_site.logs import HIDDEN, JsonFormatter, ReadableFormatter, logging_config, redacted

PLANTED = "hunter2-PLANTED-0123456789"


def record(message: str, *args: object, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("council.test", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(fields)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {PLANTED}",
        f"authorization=Token {PLANTED}",
        f"{{'Authorization': 'Bearer {PLANTED}'}}",
        f'{{"api_key": "{PLANTED}"}}',
        f"x-api-key: {PLANTED}",
        f"?api-key={PLANTED}&page=2",
        f"password={PLANTED}",
        f"OPENAI_API_KEY={PLANTED}",
        f"SECRET_KEY='{PLANTED}'",
        f"token: {PLANTED}",
        f"cookie: {PLANTED}",
        f"sent Bearer {PLANTED} to the provider",
        f"postgres://council:{PLANTED}@db:5432/council",
        f"redis://:{PLANTED}@queue:6379/0",
        f"sk-{PLANTED}",
        f"the key sk-ant-{PLANTED} was refused",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    cleaned = redacted(text)

    assert PLANTED not in cleaned
    assert HIDDEN in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "Run 7 finished in 3.2 s: 900 tokens, 0.01 USD",
        "GET /runs/abc?page=2 200",
        "postgres://db:5432/council",
        "total_tokens: 12 and completion_tokens=7",
        "The skill of the council",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redacted(text) == text


def test_an_entry_is_one_line_of_json_with_its_fields() -> None:
    line = JsonFormatter().format(record("run %s\nfinished", 7, run="abc", seats=4))

    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("WARNING", "council.test", "run 7\nfinished")
    assert (entry["run"], entry["seats"]) == ("abc", "4")
    assert entry["time"].endswith("+00:00")


def test_a_forged_line_cannot_begin_in_a_message() -> None:
    line = JsonFormatter().format(record('user "x"\n{"level": "INFO"}'))

    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("formatter", [JsonFormatter(), ReadableFormatter("{message}", style="{")])
def test_secrets_are_hidden_in_messages_arguments_and_tracebacks(formatter: logging.Formatter) -> None:
    error = RuntimeError(f"401 for Bearer {PLANTED}")
    failed = record("refused: api_key=%s", PLANTED, exc_info=(type(error), error, None))

    line = formatter.format(failed)

    assert "RuntimeError" in line
    assert PLANTED not in line


def test_secrets_are_hidden_in_extra_fields() -> None:
    assert PLANTED not in JsonFormatter().format(record("sent", headers={"Authorization": f"Bearer {PLANTED}"}))


@pytest.mark.parametrize(("structured", "formatter"), [(True, "json"), (False, "readable")])
def test_production_writes_json_and_a_developer_reads_lines(structured: bool, formatter: str) -> None:
    config = logging_config(level="INFO", structured=structured)

    assert config["handlers"]["stderr"]["formatter"] == formatter
    assert config["root"] == {"handlers": ["stderr"], "level": "INFO"}
