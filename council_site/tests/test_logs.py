"""Logs: one JSON object a line, and no secrets in it."""

import json
import logging
from typing import Any

import pytest
from django.test import RequestFactory

from council_site.logs import (
    HIDDEN,
    SELDOM_S,
    JsonFormatter,
    ReadableFormatter,
    RefusalFilter,
    ScopeFilter,
    SeldomFilter,
    logging_config,
    redacted,
)
from councils.telemetry import scope

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
        f"GET https://models.example/v1beta/models?key={PLANTED}&alt=sse",
        f"https://models.example/v1?alt=sse&key={PLANTED}",
        f"API key AIzaSy{PLANTED} not valid",
        f"hf_{PLANTED} has no access",
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
        "step key=opinion:a, cache key=12",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redacted(text) == text


def test_an_entry_is_one_line_of_json_with_its_fields() -> None:
    line = JsonFormatter().format(record("run %s\nfinished", 7, run="abc", seats=4, took=1.5, never=float("nan")))

    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("WARNING", "council.test", "run 7\nfinished")
    assert (entry["run"], entry["seats"]) == ("abc", 4)
    assert (entry["took"], entry["never"]) == (1.5, "nan")
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


@pytest.mark.parametrize(("level", "structured", "told"), [("INFO", False, "WARNING"), ("DEBUG", False, "DEBUG"), ("INFO", True, "INFO")])
def test_a_developer_is_told_of_each_request_only_on_demand(level: str, structured: bool, told: str) -> None:
    assert logging_config(level=level, structured=structured)["loggers"]["councils.access"] == {"level": told}


READABLE = ReadableFormatter("{asctime} {levelname:<7} {name}: {message}", style="{", datefmt="%H:%M:%S")
LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
FORGED = "12:00:00 ERROR   root: forged"


@pytest.mark.parametrize("formatter", [JsonFormatter(), READABLE])
@pytest.mark.parametrize("end", LINE_ENDS)
def test_no_line_end_of_any_kind_begins_a_line(formatter: logging.Formatter, end: str) -> None:
    line = formatter.format(record(f"asked for {end}{FORGED}", path=f"x{end}{FORGED}", run=f"r{end}{FORGED}"))

    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("formatter", [JsonFormatter(), READABLE])
def test_the_message_of_an_error_cannot_look_like_a_line_of_its_own(formatter: logging.Formatter) -> None:
    error = ValueError(f"bad\n{FORGED}\r\n{FORGED}\u2028{FORGED}")
    line = formatter.format(record("failed", exc_info=(type(error), error, None)))

    assert [part for part in line.splitlines() if part.startswith(FORGED)] == []
    assert FORGED in line


def test_a_terminal_is_told_no_commands() -> None:
    assert "\x1b" not in READABLE.format(record("\x1b[2J\x1b]0;title\x07gone"))


def test_every_line_says_what_it_was_written_for() -> None:
    with scope.working_on("request", "req-1"), scope.working_on("run", "run-1"), scope.working_on("call", "call-1"):
        said = record("hello")
        ScopeFilter().filter(said)
    later = record("bye")
    ScopeFilter().filter(later)

    assert {"request": "req-1", "run": "run-1", "call": "call-1"}.items() <= json.loads(JsonFormatter().format(said)).items()
    assert READABLE.format(said).endswith("council.test: hello [request=req-1 run=run-1 call=call-1]")
    assert READABLE.format(later).endswith("council.test: bye")
    assert "run" not in json.loads(JsonFormatter().format(later))


def test_what_a_record_says_itself_goes_first() -> None:
    with scope.working_on("run", "at-hand"):
        said = record("about another one", run="another")
        ScopeFilter().filter(said)

    assert json.loads(JsonFormatter().format(said))["run"] == "another"
    assert READABLE.format(said).endswith("[run=another]")


@pytest.mark.parametrize("formatter", [JsonFormatter(), READABLE])
def test_a_whole_request_is_not_written_with_its_query(formatter: logging.Formatter) -> None:
    with scope.working_on("request", "req-1"):
        said = record("Unauthorized", request=RequestFactory().get("/api/?q=what-was-asked"))
        ScopeFilter().filter(said)
        line = formatter.format(said)

    assert "req-1" in line
    assert "what-was-asked" not in line


@pytest.mark.parametrize("structured", [True, False])
def test_everything_that_is_written_goes_through_the_filter(structured: bool) -> None:
    config = logging_config(level="INFO", structured=structured)

    assert [handler["filters"] for handler in config["handlers"].values()] == [["scope", "seldom", "refusal"]]


def test_who_repeats_what_is_known_is_heard_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("council_site.logs.time.monotonic", lambda: now[0])
    seldom, ours = SeldomFilter("noisy"), record("away")
    noisy = logging.makeLogRecord({"name": "noisy.exporter", "msg": "away"})
    other = logging.makeLogRecord({"name": "noisy.exporter", "msg": "another matter"})

    heard = [[seldom.filter(one) for one in (noisy, other, ours)] for _ in range(2)]
    now[0] += SELDOM_S

    assert heard == [[True, True, True], [False, False, True]]
    assert seldom.filter(noisy)


def test_a_refused_request_is_one_line_and_a_fault_keeps_its_traceback() -> None:
    why = PermissionError("not yours")
    exc_info = (type(why), why, why.__traceback__)
    told = {"msg": "Forbidden (Permission denied): /admin/", "exc_info": exc_info}
    refused, fault = (
        logging.makeLogRecord({**told, "name": "django.request", "levelno": level}) for level in (logging.WARNING, logging.ERROR)
    )

    assert all(RefusalFilter().filter(one) for one in (refused, fault))
    assert "not yours" not in JsonFormatter().format(refused)
    assert "not yours" in JsonFormatter().format(fault)
