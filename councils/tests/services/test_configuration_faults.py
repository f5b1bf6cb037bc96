"""What is wrong with a configuration document: told at its place, all of it at once, and nothing changes."""

from collections.abc import Callable
from typing import Any

import pytest

from councils.models import PromptTemplate, Provider
from councils.services.configuration import ConfigurationRejected, apply_configuration
from councils.tests.services.documents import document

pytestmark = pytest.mark.django_db


def problems_of(faulty: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationRejected) as caught:
        apply_configuration(faulty)
    return caught.value.problems


def rename_model(data: dict[str, Any]) -> None:
    data["councils"][0]["seats"][2]["model"] = "acme/nowhere"


def misspell(data: dict[str, Any]) -> None:
    data["councils"][0]["voting_sistem"] = "weighted"


def give_text_for_number(data: dict[str, Any]) -> None:
    data["councils"][0]["quorum"] = "two"


def give_yes_for_true(data: dict[str, Any]) -> None:
    data["providers"][0]["is_active"] = "yes"


def give_price_per_million(data: dict[str, Any]) -> None:
    data["models"][0]["cost_per_1k_input_tokens"] = "10000.01"


def give_true_for_number(data: dict[str, Any]) -> None:
    data["models"][0]["cost_per_1k_input_tokens"] = True


def choose_unknown_kind(data: dict[str, Any]) -> None:
    data["providers"][0]["kind"] = "telepathy"


def put_key_into_address(data: dict[str, Any]) -> None:
    data["providers"][0]["base_url"] = "https://user:planted@api.acme.example"


def add_key(data: dict[str, Any]) -> None:
    data["providers"][0]["api_key"] = "planted"


def add_key_to_options(data: dict[str, Any]) -> None:
    data["models"][0]["options"] = {"headers": {"Authorization": "planted"}}


def name_other_variable(data: dict[str, Any]) -> None:
    data["providers"][0]["api_key_env"] = "SECRET_KEY"


def ask_too_few(data: dict[str, Any]) -> None:
    data["councils"][0]["min_models"] = 4


def drop_question(data: dict[str, Any]) -> None:
    data["prompts"][0]["text"] = "Answer."


def repeat_seat(data: dict[str, Any]) -> None:
    data["councils"][0]["seats"][1]["agent_id"] = "agent_1"


def repeat_council(data: dict[str, Any]) -> None:
    data["councils"].append(dict(data["councils"][0]))


def forget_chairman(data: dict[str, Any]) -> None:
    del data["councils"][0]["chairman_model"]


def skip_version(data: dict[str, Any]) -> None:
    data["prompts"][0]["version"] = 7


def name_no_provider(data: dict[str, Any]) -> None:
    data["models"][1]["provider"] = "nobody"


def give_list_of_text(data: dict[str, Any]) -> None:
    data["councils"][0]["seats"] = ["agent_1"]


def come_from_the_future(data: dict[str, Any]) -> None:
    data["format"] = 99


FAULTS: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (rename_model, "councils[0].seats[2].model: ", "There is no model acme/nowhere."),
    (misspell, "councils[0].voting_sistem: ", "Did you mean voting_system?"),
    (give_text_for_number, "councils[0].quorum: ", "a whole number"),
    (give_yes_for_true, "providers[0].is_active: ", "true or false"),
    (give_price_per_million, "models[0].cost_per_1k_input_tokens: ", "price per million"),
    (give_true_for_number, "models[0].cost_per_1k_input_tokens: ", "a number"),
    (choose_unknown_kind, "providers[0].kind: ", "telepathy"),
    (put_key_into_address, "providers[0].base_url: ", "Leave out user name"),
    (add_key, "providers[0].api_key: ", "Secrets do not belong"),
    (add_key_to_options, "models[0].options.headers.Authorization: ", "Secrets do not belong"),
    (name_other_variable, "providers[0].api_key_env: ", "_API_KEY"),
    (ask_too_few, "councils[0]: ", "at least 4 answering seats"),
    (drop_question, "prompts[0].text: ", "{question}"),
    (repeat_seat, "councils[0].seats[1].agent_id: ", "another seat agent_1"),
    (repeat_council, "councils[1]: ", "councils[0] describes the same slug"),
    (forget_chairman, "councils[0].chairman_model: ", "missing"),
    (skip_version, "prompts[0].version: ", "the next one here is 1"),
    (name_no_provider, "models[1].provider: ", "There is no provider nobody."),
    (give_list_of_text, "councils[0].seats[0]: ", "an object"),
    (come_from_the_future, "format: ", "format 1"),
]


@pytest.mark.parametrize(("spoil", "place", "words"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_fault_is_named_at_its_place_and_nothing_changes(spoil: Callable[[dict[str, Any]], None], place: str, words: str) -> None:
    faulty = document()
    spoil(faulty)

    problems = problems_of(faulty)

    assert any(problem.startswith(place) and words in problem for problem in problems), problems
    assert not any("planted" in problem for problem in problems)
    assert not Provider.objects.exists()
    assert not PromptTemplate.objects.exists()


def test_all_faults_of_a_document_are_told_at_once_and_none_twice() -> None:
    faulty = document()
    for spoil in (choose_unknown_kind, drop_question, rename_model, misspell, give_text_for_number, forget_chairman, come_from_the_future):
        spoil(faulty)
    faulty["models"][0]["context_window"] = -1
    faulty["councils"][0]["seats"][0] |= {"weight": 0, "persona": 7}

    places = [problem.partition(": ")[0] for problem in problems_of(faulty)]

    assert sorted(places) == [
        "councils[0].chairman_model",
        "councils[0].quorum",
        "councils[0].seats[0].persona",
        "councils[0].seats[0].weight",
        "councils[0].seats[2].model",
        "councils[0].voting_sistem",
        "format",
        "models[0].context_window",
        "prompts[0].text",
        "providers[0].kind",
    ]


def test_a_fault_is_not_echoed_by_what_builds_on_it() -> None:
    faulty = document()
    choose_unknown_kind(faulty)

    assert len(problems_of(faulty)) == 1


def test_councils_that_cannot_deliberate_are_told_beside_the_faults_of_another() -> None:
    faulty = document()
    faulty["councils"].append(document()["councils"][0] | {"slug": "deep", "min_models": 9})
    rename_model(faulty)

    problems = problems_of(faulty)

    assert [problem.partition(": ")[0] for problem in problems] == ["councils[0].seats[2].model", "councils[1]"]


def test_two_faults_of_a_section_are_told_at_once() -> None:
    faulty = document()
    rename_model(faulty)
    misspell(faulty)

    assert len(problems_of(faulty)) == 2


CHOICES: list[tuple[str, dict[str, Any], str]] = [
    ("providers", {"kind": "telepathy"}, "Use one of: openai, ollama, anthropic."),
    ("models", {"structured_mode": "yaml"}, "Use one of: json_schema, json_object, plain."),
    ("models", {"provider": "zzz"}, "Use one of: acme."),
    ("prompts", {"stage": "prologue"}, "Use one of: opinions, review, synthesis."),
    ("councils", {"voting_system": "dice"}, "Use one of: ranked_choice, weighted, consensus."),
    ("councils", {"chairman_mode": "nap"}, "Use one of: "),
    ("councils", {"chairman_model": "zzz"}, "Use one of: acme/large, acme/org/small."),
    ("councils", {"chairman_model": "acme/larg"}, "Did you mean acme/large?"),
    ("councils", {"stage1_prompt_template": "zzz"}, "Use one of: brief."),
    ("councils", {"stage1_prompt_template": {"name": "brief", "version": 9}}, "There is no version 9"),
    ("prompts", {"zzz": 1}, "Use one of: name, stage, text, version."),
]


@pytest.mark.parametrize(("section", "change", "words"), CHOICES)
def test_a_wrong_choice_is_answered_with_the_right_ones(section: str, change: dict[str, Any], words: str) -> None:
    faulty = document()
    faulty[section][0] |= change

    assert any(words in problem for problem in problems_of(faulty))


def test_a_council_that_is_switched_off_may_be_unfinished() -> None:
    draft = document()
    draft["councils"][0] |= {"is_active": False, "seats": []}

    assert "created council quick" in apply_configuration(draft).changes


def test_two_defaults_are_refused() -> None:
    faulty = document()
    other = document()["councils"][0] | {"slug": "deep", "is_default": True}
    faulty["councils"][0]["is_default"] = True
    faulty["councils"].append(other)

    assert problems_of(faulty) == ("councils[1].is_default: Only one council can be the default.",)


def test_the_default_is_not_given_up_without_another() -> None:
    apply_configuration(document())

    assert "Choose another one" in problems_of({"councils": [{"slug": "quick", "is_default": False}]})[0]
    assert problems_of({"councils": [{"slug": "quick", "is_active": False}]}) == (
        "councils[0].is_active: The default council cannot be switched off. Choose another one as default first.",
    )


def test_a_council_that_is_switched_off_is_not_made_the_default() -> None:
    faulty = document()
    faulty["councils"][0] |= {"is_active": False, "is_default": True}

    assert problems_of(faulty) == ("councils[0].is_default: A council that is switched off cannot be the default.",)


def test_an_existing_version_is_never_rewritten() -> None:
    apply_configuration(document())

    problems = problems_of({"prompts": [{"stage": "opinions", "name": "brief", "version": 1, "text": "Other. {question}"}]})

    assert problems[0].startswith("prompts[0].version: Version 1 exists and says something else.")
