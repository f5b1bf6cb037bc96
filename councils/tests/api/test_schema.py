"""The OpenAPI schema: complete, without warnings, and true."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS

from councils.models import CouncilConfiguration, User
from councils.tests.api.rows import make_finished_run

ERROR = {"$ref": "#/components/schemas/Error"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    answer = Client().get("/api/schema/", headers={"accept": "application/vnd.oai.openapi+json"})
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_it_is_valid_and_complete(capsys: pytest.CaptureFixture[str]) -> None:
    GENERATOR_STATS.reset()

    call_command("spectacular", validate=True, fail_on_warn=True)

    assert "openapi: 3" in capsys.readouterr().out


def test_it_can_be_had_without_signing_in(schema: dict[str, Any]) -> None:
    assert set(schema["paths"]) >= {"/api/v1/runs/", "/api/v1/runs/{id}/events/", "/api/v1/councils/{slug}/"}


def test_every_operation_names_the_error_envelope(schema: dict[str, Any]) -> None:
    operations = [operation for path in schema["paths"].values() for operation in path.values()]

    assert operations
    for operation in operations:
        assert operation["responses"]["4XX"]["content"]["application/json"]["schema"] == ERROR


def test_every_operation_has_a_summary_and_asking_comes_first(schema: dict[str, Any]) -> None:
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    groups = [tag["name"] for tag in schema["tags"]]

    assert groups[0] == "runs"
    assert {tag for operation in operations for tag in operation["tags"]} == set(groups)
    assert all(0 < len(operation["summary"]) < 90 for operation in operations)
    assert schema["paths"]["/api/v1/runs/"]["post"]["summary"] == "Ask a council"


def test_every_operation_can_be_reached_with_a_key(schema: dict[str, Any]) -> None:
    assert schema["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    assert all({"apiKey": []} in operation["security"] for path in schema["paths"].values() for operation in path.values())


def test_starting_a_run_is_told_as_it_is(schema: dict[str, Any]) -> None:
    start = schema["paths"]["/api/v1/runs/"]["post"]

    assert set(start["responses"]) == {"202", "4XX", "5XX"}
    assert "Idempotency-Key" in {parameter["name"] for parameter in start["parameters"]}
    assert schema["components"]["schemas"]["RunRequest"]["required"] == ["question"]


def test_a_record_holds_exactly_what_the_schema_says(schema: dict[str, Any], api: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_finished_run(ada, council)

    check(schema, {"$ref": "#/components/schemas/Run"}, api.get(f"/api/v1/runs/{run.public_id}/").json(), "run")


def test_the_other_answers_hold_exactly_what_the_schema_says(
    schema: dict[str, Any], api: Client, ada: User, council: CouncilConfiguration
) -> None:
    conversation = make_finished_run(ada, council).conversation
    addresses = {
        "/api/v1/councils/": "PaginatedCouncilList",
        "/api/v1/models/": "PaginatedModelList",
        "/api/v1/runs/": "PaginatedRunSummaryList",
        "/api/v1/conversations/": "PaginatedConversationList",
        f"/api/v1/conversations/{conversation.public_id}/": "ConversationDetail",
        "/api/v1/nothing/": "Error",
    }
    for address, name in addresses.items():
        check(schema, {"$ref": f"#/components/schemas/{name}"}, api.get(address).json(), name)


def check(schema: dict[str, Any], described: dict[str, Any], value: Any, where: str) -> None:
    """Compare names, kinds and nulls, all the way down."""
    described = resolved(schema, described)
    if value is None:
        assert described.get("nullable"), f"{where} is null"
    elif isinstance(value, dict) and "properties" in described:
        assert set(value) == set(described["properties"]), where
        for name, part in value.items():
            check(schema, described["properties"][name], part, f"{where}.{name}")
    elif isinstance(value, dict):
        for name, part in value.items():
            check(schema, described.get("additionalProperties") or {}, part, f"{where}.{name}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            check(schema, described["items"], part, f"{where}[{number}]")
    elif "enum" in described:
        assert value in described["enum"], where
    elif "type" in described:
        kinds: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
        assert isinstance(value, kinds[described["type"]]), where


def resolved(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in described:
        target: dict[str, Any] = schema["components"]["schemas"][described["$ref"].rpartition("/")[2]]
        return resolved(schema, target)
    for group in ("allOf", "oneOf"):
        if group in described:
            parts = [resolved(schema, part) for part in described[group]]
            enum = [value for part in parts for value in part.get("enum", [])]
            merged = {**parts[0], **{key: value for key, value in described.items() if key != group}}
            return merged | ({"enum": enum} if enum else {})
    return described
