"""Settings from the environment: typed, and refused with a sentence that helps."""

from collections.abc import Callable
from pathlib import Path

import pytest

from council_site.env import Env, EnvError, host_and_port, parse_env_file


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "yes", "on", " on "])
def test_words_of_agreement_are_true(word: str) -> None:
    assert Env({"FLAG": word}).boolean("FLAG", False) is True


@pytest.mark.parametrize("word", ["0", "false", "No", "OFF"])
def test_words_of_refusal_are_false(word: str) -> None:
    assert Env({"FLAG": word}).boolean("FLAG", True) is False


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_variable_takes_its_default(value: str) -> None:
    env = Env({"X": value})

    assert env.boolean("X", True) is True
    assert env.integer("X", 7, least=1) == 7
    assert env.number("X", 1.5) == 1.5
    assert env.text("X", "here") == "here"
    assert env.choice("X", "a", among={"a", "b"}) == "a"
    assert env.items("X", ["p", "q"]) == ["p", "q"]
    assert env.secret("X") is None
    assert env.secrets("X") == []


def test_lists_are_split_at_commas_and_trimmed() -> None:
    assert Env({"HOSTS": " a.example , b.example,, "}).items("HOSTS") == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda env: env.boolean("X", False), "X is 'maybe'. Use true or false."),
        (lambda env: env.integer("X", 1, least=1), "X is 'maybe'. Use a whole number of at least 1."),
        (lambda env: env.integer("X", 1, least=1, most=9), "X is 'maybe'. Use a whole number from 1 to 9."),
        (lambda env: env.number("X", 1.0, most=9), "X is 'maybe'. Use a number of at most 9."),
        (lambda env: env.number("X", 1.0), "X is 'maybe'. Use a number."),
        (lambda env: env.choice("X", "a", among={"b", "a"}), "X is 'maybe'. Use one of: a, b."),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_remedy(read: Callable[[Env], object], sentence: str) -> None:
    with pytest.raises(EnvError) as refusal:
        read(Env({"X": "maybe"}))

    assert str(refusal.value) == sentence


@pytest.mark.parametrize("value", ["0", "11", "-1"])
def test_a_whole_number_out_of_bounds_is_refused(value: str) -> None:
    with pytest.raises(EnvError, match=f"PORT is {value}. Use a whole number from 1 to 10."):
        Env({"PORT": value}).integer("PORT", 5, least=1, most=10)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "0.5"])
def test_a_number_that_no_clock_can_wait_for_is_refused(value: str) -> None:
    with pytest.raises(EnvError, match="Use a number of at least 1"):
        Env({"WAIT": value}).number("WAIT", 5.0, least=1)


def test_an_env_file_is_read_literally() -> None:
    content = "# comment\n\nexport A=1\nB = two words \nC='${HOME} # kept'\nD=\"x=y\"\nE=\n"

    assert parse_env_file(content) == {"A": "1", "B": "two words", "C": "${HOME} # kept", "D": "x=y", "E": ""}


@pytest.mark.parametrize("line", ["no equals sign", "1BAD=2", "=nameless", "SPACE IN=name"])
def test_a_line_that_is_no_setting_is_named_but_not_shown(line: str) -> None:
    with pytest.raises(EnvError, match=r"Line 2 of \.env is not a setting") as refusal:
        parse_env_file(f"OK=1\n{line}")

    assert line not in str(refusal.value)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.env").write_text("COUNCIL_TEST_A=file\nCOUNCIL_TEST_B=file\n")
    monkeypatch.setenv("ENV_FILE", "site.env")
    monkeypatch.setenv("COUNCIL_TEST_A", "process")
    monkeypatch.setenv("COUNCIL_TEST_B", "")
    monkeypatch.delenv("COUNCIL_TEST_B")

    env = Env.load(tmp_path)

    assert (env.text("COUNCIL_TEST_A"), env.text("COUNCIL_TEST_B")) == ("process", "file")


def test_a_missing_env_file_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_FILE", "absent.env")

    assert Env.load(tmp_path).text("COUNCIL_TEST_C", "default") == "default"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://127.0.0.1:11434", "127.0.0.1:11434"),
        ("http://ollama/api", "ollama:80"),
        ("https://models.example/v1", "models.example:443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_location_of_a_server_has_its_port(url: str, location: str) -> None:
    assert host_and_port(url) == location


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://host", "http://", "nonsense"])
def test_an_address_without_a_server_is_refused(url: str) -> None:
    with pytest.raises(EnvError, match="Write http://host:port"):
        host_and_port(url)
