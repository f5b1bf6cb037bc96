"""Configuration as code: applied all or nothing, never twice, dumped without secrets."""

import json
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate, Provider
from councils.services.configuration import ConfigurationRejected, apply_configuration, dump_configuration, parse_document
from councils.tests.services.documents import document

pytestmark = pytest.mark.django_db


def problems_of(faulty: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationRejected) as caught:
        apply_configuration(faulty)
    return caught.value.problems


def test_a_document_creates_everything_that_it_describes() -> None:
    applied = apply_configuration(document())

    council = CouncilConfiguration.objects.get(slug="quick")
    assert [(seat.agent_id, seat.model.name) for seat in council.members.all()] == [
        ("agent_1", "org/small"),
        ("agent_2", "large"),
        ("agent_3", "org/small"),
    ]
    assert council.chairman_model.name == "large"
    assert [fallback.model.name for fallback in council.chairman_fallbacks.all()] == ["org/small"]
    assert council.stage1_prompt_template == PromptTemplate.objects.get(name="brief", version=1)
    assert "created provider acme" in applied.changes
    assert "created seat agent_2 of council quick" in applied.changes


def test_prices_are_exactly_what_was_typed_and_what_was_left_out_is_unknown() -> None:
    apply_configuration(document())

    small, large = ModelInfo.objects.get(name="org/small"), ModelInfo.objects.get(name="large")
    assert (small.cost_per_1k_input_tokens, small.cost_per_1k_output_tokens) == (Decimal("0.0004"), Decimal("0.0016"))
    assert large.cost_per_1k_input_tokens is None


def test_the_same_document_twice_changes_nothing() -> None:
    apply_configuration(document())
    before = CouncilConfiguration.objects.get(slug="quick").updated_at

    assert apply_configuration(document()).changes == ()
    assert CouncilConfiguration.objects.get(slug="quick").updated_at == before


def test_a_dry_run_says_what_would_change_and_changes_nothing() -> None:
    applied = apply_configuration(document(), dry_run=True)

    assert "created council quick" in applied.changes
    assert not Provider.objects.exists()


def test_fields_left_out_keep_their_value() -> None:
    apply_configuration(document())

    applied = apply_configuration({"councils": [{"slug": "quick", "description": "For small questions."}]})

    assert applied.changes == ("updated council quick: description",)
    assert CouncilMember.objects.count() == 3


def test_a_prompt_with_another_text_becomes_a_new_version_that_the_council_takes() -> None:
    apply_configuration(document())
    changed = document()
    changed["prompts"][0]["text"] = "Answer in one line. {question}"

    apply_configuration(changed)

    assert [p.version for p in PromptTemplate.objects.filter(name="brief")] == [2, 1]
    council = CouncilConfiguration.objects.get(slug="quick")
    assert council.stage1_prompt_template is not None
    assert council.stage1_prompt_template.version == 2


def test_a_council_can_pin_an_earlier_version() -> None:
    apply_configuration(document())
    apply_configuration({"prompts": [{"stage": "opinions", "name": "brief", "text": "New. {question}"}]})

    applied = apply_configuration({"councils": [{"slug": "quick", "stage1_prompt_template": {"name": "brief", "version": 1}}]})

    assert applied.changes == ()


def test_seats_that_the_list_does_not_name_are_removed_and_its_order_counts() -> None:
    apply_configuration(document())
    changed = document()
    changed["councils"][0]["min_models"] = 2
    changed["councils"][0]["enable_peer_review"] = False
    changed["councils"][0]["seats"] = [changed["councils"][0]["seats"][2], changed["councils"][0]["seats"][0]]

    applied = apply_configuration(changed)

    assert list(CouncilMember.objects.values_list("agent_id", flat=True)) == ["agent_3", "agent_1"]
    assert "removed seat agent_2 of council quick" in applied.changes


def test_places_that_are_numbered_otherwise_but_in_the_same_order_are_left_alone() -> None:
    apply_configuration(document())
    dumped = dump_configuration()
    CouncilMember.objects.update(position=7)

    assert apply_configuration(dumped).changes == ()


def test_the_first_council_becomes_the_default_and_another_can_take_its_place() -> None:
    apply_configuration(document())
    second = document()
    second["councils"][0] |= {"slug": "deep", "name": "Deep", "is_default": True}

    applied = apply_configuration(second)

    assert list(CouncilConfiguration.objects.filter(is_default=True).values_list("slug", flat=True)) == ["deep"]
    assert "council deep is now the default" in applied.changes


def test_applying_a_dump_changes_nothing() -> None:
    apply_configuration(document())
    apply_configuration({"prompts": [{"stage": "opinions", "name": "brief", "text": "New. {question}"}]})

    assert apply_configuration(dump_configuration()).changes == ()


def new_text(data: dict[str, Any], text: str) -> None:
    newest = [prompt for prompt in data["prompts"] if "version" not in prompt]
    newest[0]["text"] = text


def version_of(slug: str) -> int:
    template = CouncilConfiguration.objects.get(slug=slug).stage1_prompt_template
    assert template is not None
    return template.version


def test_a_new_text_in_a_dump_moves_the_councils_that_use_the_newest_version_and_leaves_pinned_ones() -> None:
    both = document()
    both["councils"].append(both["councils"][0] | {"slug": "pinned", "stage1_prompt_template": {"name": "brief", "version": 1}})
    apply_configuration(both)
    apply_configuration({"prompts": [{"stage": "opinions", "name": "brief", "text": "New. {question}"}]})
    apply_configuration({"councils": [{"slug": "quick", "stage1_prompt_template": "brief"}]})
    dumped = dump_configuration()
    new_text(dumped, "Newer. {question}")

    applied = apply_configuration(dumped)

    assert applied.changes == ("added prompt opinions/brief, version 3", "updated council quick: stage1_prompt_template")
    assert (version_of("quick"), version_of("pinned")) == (3, 1)


def test_a_dump_applied_to_an_empty_site_gives_the_same_dump() -> None:
    apply_configuration(document())
    apply_configuration({"prompts": [{"stage": "opinions", "name": "brief", "text": "New. {question}"}]})
    dumped = dump_configuration()
    CouncilConfiguration.objects.all().delete()
    PromptTemplate.objects.all().delete()
    Provider.objects.all().delete()

    apply_configuration(json.loads(json.dumps(dumped)))

    assert dump_configuration() == dumped


def test_a_dump_holds_no_secret() -> None:
    apply_configuration(document())
    provider = Provider.objects.get(slug="acme")
    provider.set_api_key("sk-planted-secret")
    provider.options = {"headers": {"Authorization": "Bearer planted-secret", "X-Team": "a"}}
    provider.save()

    text = json.dumps(dump_configuration())

    assert "planted-secret" not in text
    assert provider.api_key_sealed not in text
    assert "X-Team" in text


def rename_model(data: dict[str, Any]) -> None:
    data["councils"][0]["seats"][2]["model"] = "acme/nowhere"


def misspell(data: dict[str, Any]) -> None:
    data["councils"][0]["voting_sistem"] = "weighted"


def give_text_for_number(data: dict[str, Any]) -> None:
    data["councils"][0]["quorum"] = "two"


def give_yes_for_true(data: dict[str, Any]) -> None:
    data["providers"][0]["is_active"] = "yes"


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


def test_all_faults_of_a_section_are_told_at_once() -> None:
    faulty = document()
    rename_model(faulty)
    misspell(faulty)

    assert len(problems_of(faulty)) == 2


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


def test_an_existing_version_is_never_rewritten() -> None:
    apply_configuration(document())

    problems = problems_of({"prompts": [{"stage": "opinions", "name": "brief", "version": 1, "text": "Other. {question}"}]})

    assert problems[0].startswith("prompts[0].version: Version 1 exists and says something else.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a JSON document"),
        ("[]", "must be an object"),
        ('{"format": 1, "format": 1}', "given twice"),
        ('{"format": NaN}', "NaN is not a number"),
        ("[" * 100_000, "not a JSON document"),
    ],
)
def test_what_is_no_document_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigurationRejected, match=words):
        parse_document(text)


def test_the_command_applies_a_file_and_says_so_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document()), "utf-8")

    first, second = StringIO(), StringIO()
    call_command("apply_config", str(file), stdout=first)
    call_command("apply_config", str(file), stdout=second)

    assert "created council quick" in first.getvalue()
    assert second.getvalue() == "Nothing to change.\n"


def test_the_command_lists_the_faults(tmp_path: Path) -> None:
    faulty = document()
    rename_model(faulty)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(faulty), "utf-8")

    with pytest.raises(CommandError, match=r"councils\[0\]\.seats\[2\]\.model"):
        call_command("apply_config", str(file))


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply_config", str(tmp_path / "missing.json"))


def test_the_dump_command_writes_a_file_that_can_be_applied(tmp_path: Path) -> None:
    apply_configuration(document())
    file = tmp_path / "dump.json"
    out = StringIO()

    call_command("dump_config", output=str(file))
    call_command("apply_config", str(file), "--dry-run", stdout=out)

    assert out.getvalue() == "Nothing to change.\n"


def test_the_example_of_the_documentation_can_be_applied() -> None:
    text = Path("docs/examples/council.json").read_text("utf-8")

    assert apply_configuration(parse_document(text)).changes
