"""Configuration as code: applied all or nothing, never twice, dumped without secrets."""

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, ModelPrice, PriceSource, PromptTemplate, Provider
from councils.services.configuration import ConfigurationRejected, apply_configuration, dump_configuration, parse_document
from councils.tests.services.documents import document

pytestmark = pytest.mark.django_db


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
    data = document()
    data["models"].append({"provider": "acme", "name": "unused"})
    apply_configuration(data)

    small, unused = ModelInfo.objects.get(name="org/small"), ModelInfo.objects.get(name="unused")
    assert (small.cost_per_1k_input_tokens, small.cost_per_1k_output_tokens) == (Decimal("0.0004"), Decimal("0.0016"))
    assert unused.cost_per_1k_input_tokens is None


def test_a_model_without_a_price_is_not_put_into_a_council() -> None:
    data = document()
    data["models"][1] = {"provider": "acme", "name": "large"}

    with pytest.raises(ConfigurationRejected) as rejected:
        apply_configuration(data)

    assert "councils[0]: The price of large is not known." in str(rejected.value)


def test_a_new_model_of_a_known_name_has_the_price_of_the_public_list() -> None:
    data = document()
    data["providers"][0]["base_url"] = "https://api.openai.com/v1"
    data["models"].append({"provider": "acme", "name": "gpt-4.1-mini"})
    apply_configuration(data)

    price = ModelPrice.objects.get(model__name="gpt-4.1-mini")
    assert (price.source, price.input_price) == (PriceSource.LIST, Decimal("0.0004"))


def test_a_new_model_on_ollama_is_free() -> None:
    data = document()
    data["providers"].append({"slug": "own", "name": "Own", "kind": "ollama", "base_url": "http://10.0.0.5:11434"})
    data["models"].append({"provider": "own", "name": "llama3.2:1b"})
    apply_configuration(data)

    price = ModelPrice.objects.get(model__name="llama3.2:1b")
    assert (price.source, str(price)) == (PriceSource.FREE, "0 USD in, 0 USD out")


def test_a_new_model_at_a_private_address_is_free_only_if_the_file_says_so() -> None:
    data = document()
    inside = {"kind": "openai", "base_url": "http://10.0.0.5:4000/v1", "allow_private_address": True}
    data["providers"].append({"slug": "gateway", "name": "Gateway", **inside})
    free = {"cost_per_1k_input_tokens": "0", "cost_per_1k_output_tokens": "0"}
    data["models"] += [{"provider": "gateway", "name": "resold"}, {"provider": "gateway", "name": "own", **free}]
    apply_configuration(data)

    priced = {model.name: model.has_prices for model in ModelInfo.objects.filter(provider__slug="gateway")}
    assert priced == {"resold": False, "own": True}


def test_each_price_that_is_applied_is_kept_and_the_same_one_only_once() -> None:
    apply_configuration(document())
    data = document()
    data["models"][0]["cost_per_1k_input_tokens"] = "0.0005"
    apply_configuration(data)
    apply_configuration(data)

    kept = ModelPrice.objects.filter(model__name="org/small")
    assert [price.input_price for price in kept] == [Decimal("0.0005"), Decimal("0.0004")]
    assert {price.source for price in kept} == {PriceSource.MANUAL}


ENDPOINTS: list[dict[str, Any]] = [
    {"base_url": "http://10.0.0.5:8000/v1", "allow_private_address": True, "max_parallel_calls": 5},
    {"base_url": "https://b.acme.example/v1"},
]


def test_endpoints_of_a_provider_are_as_the_list_says() -> None:
    data = document()
    data["providers"][0]["endpoints"] = ENDPOINTS
    apply_configuration(data)
    assert apply_configuration(data).changes == ()
    provider = Provider.objects.get(slug="acme")
    assert [(e.base_url, e.max_parallel_calls) for e in provider.endpoints.all()] == [
        ("http://10.0.0.5:8000/v1", 5),
        ("https://b.acme.example/v1", 32),
    ]

    data["providers"][0]["endpoints"] = ENDPOINTS[1:]
    assert apply_configuration(data).changes == ("removed endpoint http://10.0.0.5:8000/v1 of provider acme",)


def test_endpoints_are_dumped_and_can_be_applied_again() -> None:
    data = document()
    data["providers"][0]["endpoints"] = ENDPOINTS
    apply_configuration(data)

    dumped = dump_configuration()
    assert [endpoint["base_url"] for endpoint in dumped["providers"][0]["endpoints"]] == [e["base_url"] for e in ENDPOINTS]
    assert apply_configuration(dumped).changes == ()


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ({"base_url": "ftp://x.example"}, "providers[0].endpoints[0].base_url: Give a full address"),
        ({"base_url": "https://api.acme.example/v1"}, "providers[0].endpoints[0].base_url: This address is there twice."),
        ({"base_url": "https://b.example", "api_key": "x"}, "providers[0].endpoints[0].api_key: Secrets do not belong"),
        ({"base_url": "https://b.example", "max_parallel_calls": 0}, "providers[0].endpoints[0].max_parallel_calls: "),
        ({}, "providers[0].endpoints[0].base_url: This is missing."),
    ],
)
def test_a_faulty_endpoint_is_named(endpoint: dict[str, object], fault: str) -> None:
    data = document()
    data["providers"][0]["endpoints"] = [endpoint]

    with pytest.raises(ConfigurationRejected) as rejected:
        apply_configuration(data)

    assert fault in str(rejected.value)
    assert not Provider.objects.exists()


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


def test_the_default_is_switched_off_where_another_takes_its_place() -> None:
    apply_configuration(document())
    deep = document()["councils"][0] | {"slug": "deep", "name": "Deep", "is_default": True}

    apply_configuration({"councils": [{"slug": "quick", "is_active": False}, deep]})

    assert list(CouncilConfiguration.objects.values_list("slug", "is_default", "is_active").order_by("slug")) == [
        ("deep", True, True),
        ("quick", False, False),
    ]


def test_the_first_council_that_is_switched_on_becomes_the_default() -> None:
    first = document()
    first["councils"][0]["is_active"] = False
    first["councils"].append(document()["councils"][0] | {"slug": "deep", "name": "Deep"})

    assert "council deep is now the default" in apply_configuration(first).changes


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
    faulty["councils"][0]["seats"][2]["model"] = "acme/nowhere"
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


def test_a_council_may_do_without_the_cache() -> None:
    source = document()
    source["councils"][0]["use_cache"] = False
    apply_configuration(source)

    assert not CouncilConfiguration.objects.get(slug="quick").use_cache
    assert dump_configuration()["councils"][0]["use_cache"] is False
