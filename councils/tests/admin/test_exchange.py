"""Councils as JSON: a wrong document says all that is wrong, a right one what would change, and only a confirmed one changes it."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from councils.models import CouncilConfiguration, PromptTemplate
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_council

pytestmark = pytest.mark.django_db

LIST = "/admin/councils/councilconfiguration/"
IMPORT = f"{LIST}import/"


def exported(admin: Client, *councils: CouncilConfiguration) -> dict[str, Any]:
    answer = admin.post(LIST, {"action": "export", "_selected_action": [council.pk for council in councils]})
    assert "attachment" in answer["Content-Disposition"]
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_a_council_goes_out_with_its_prompts_and_comes_in_unchanged(admin: Client) -> None:
    prompt = PromptTemplate.objects.add_version(stage="opinions", name="brief", text="Be brief. {question}")
    PromptTemplate.objects.add_version(stage="opinions", name="other", text="Be long. {question}")
    chosen, _left = make_council(slug="chosen", stage1_prompt_template=prompt), make_council(slug="left", is_default=True)

    document = exported(admin, chosen)

    assert [entry["slug"] for entry in document["councils"]] == ["chosen"]
    assert [entry["name"] for entry in document["prompts"]] == ["brief"]
    assert "Nothing would change" in admin.post(IMPORT, {"text": json.dumps(document)}).content.decode()


def test_what_would_change_is_shown_before_it_is_changed(admin: Client) -> None:
    council = make_council(slug="pricing", quorum=2)
    document = exported(admin, council) | {"prompts": []}
    document["councils"][0]["quorum"] = 3
    sent = SimpleUploadedFile("councils.json", json.dumps(document).encode(), "application/json")

    page = admin.post(IMPORT, {"file": sent})

    assert "updated council pricing: quorum" in page.content.decode()
    council.refresh_from_db()
    assert council.quorum == 2
    admin.post(IMPORT, {"text": page.context["text"], "apply": "yes"})
    council.refresh_from_db()
    assert council.quorum == 3


def test_a_wrong_document_says_everything_that_is_wrong_at_once(admin: Client) -> None:
    council = make_council(slug="pricing")
    document = exported(admin, council)
    entry = document["councils"][0]
    entry |= {"qourum": 3, "voting_system": "dice", "run_deadline_s": 0}
    entry["seats"][1]["model"] = "nobody/nothing"

    problems = admin.post(IMPORT, {"text": json.dumps(document)}).context["problems"]

    places = {problem.partition(":")[0] for problem in problems}
    assert places >= {f"councils[0].{name}" for name in ("qourum", "voting_system", "run_deadline_s", "seats[1].model")}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "format": 1}', '{"a": NaN}', "null"])
def test_what_is_no_document_is_refused_in_words(admin: Client, text: str) -> None:
    answer = admin.post(IMPORT, {"text": text, "apply": "yes"})

    assert answer.status_code == 200
    assert len(answer.context["problems"]) == 1


def test_a_file_that_is_no_text_is_refused_in_words(admin: Client) -> None:
    answer = admin.post(IMPORT, {"file": SimpleUploadedFile("x.json", b"\xff\xfe\x00")})

    assert answer.context["problems"] == ("The file is not a text in UTF-8.",)


def test_each_section_takes_its_own_rights_and_providers_a_superuser() -> None:
    clerk = sign_in(staff_with("add_councilconfiguration", "change_councilconfiguration"))
    document = {"providers": [{"slug": "x", "kind": "openai", "base_url": "http://10.0.0.1", "allow_private_address": True}]}
    document |= {"prompts": [{"stage": "opinions", "name": "x", "text": "{question}"}]}

    problems = clerk.post(IMPORT, {"text": json.dumps(document), "apply": "yes"}).context["problems"]

    assert [problem.partition(":")[0] for problem in problems] == ["prompts", "providers"]
    assert not PromptTemplate.objects.exists()
    assert sign_in(staff_with("view_councilconfiguration")).get(IMPORT).status_code == 403


def test_exporting_everything_takes_the_right_to_view_all_of_it(admin: Client) -> None:
    assert set(json.loads(admin.get(f"{LIST}export/").content)) == {"format", "providers", "models", "prompts", "councils"}
    assert sign_in(staff_with("view_councilconfiguration")).get(f"{LIST}export/").status_code == 403
