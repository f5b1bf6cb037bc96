"""JSON that nobody types by mistake is refused with a sentence, wherever the admin takes some."""

import pytest
from django.test import Client

from councils.models import CouncilDraft
from councils.tests.factories import make_council, make_model

pytestmark = pytest.mark.django_db

IMPORT = "/admin/councils/councilconfiguration/import/"
NESTED = "[" * 3_001
STORED = "characters that cannot be stored"
DEEP = "too deep"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (r'"models": [{"provider": "%s", "name": "a\u0000b"}]', STORED),
        (r'"councils": [{"slug": "a\ud800"}]', STORED),
        (f'"x": {"[" * 40}{"]" * 40}', DEEP),
        (f'"x": {NESTED}', "not a JSON document"),
    ],
)
def test_a_document_that_cannot_be_stored_is_refused(admin: Client, entry: str, sentence: str) -> None:
    text = entry.replace("%s", make_model().provider.slug)

    answer = admin.post(IMPORT, {"text": f'{{"format": 1, {text}}}', "apply": "yes"})

    assert sentence in " ".join(answer.context["problems"])


@pytest.mark.parametrize(("text", "sentence"), [(r'{"x": "\ud800"}', STORED), (NESTED, DEEP)])
def test_options_that_cannot_be_stored_are_refused_and_shown_again(admin: Client, text: str, sentence: str) -> None:
    answer = admin.post(f"/admin/councils/modelinfo/{make_model().pk}/change/", {"options": text})

    assert sentence in str(answer.context["adminform"].form.errors["options"])
    assert r"\ud800" in answer.content.decode() or text == NESTED


@pytest.mark.parametrize(("text", "sentence"), [(r'{"name": "\ud800"}', STORED), (r'{"name": "\u0000"}', STORED), (NESTED, DEEP)])
def test_a_draft_that_cannot_be_stored_is_refused(admin: Client, text: str, sentence: str) -> None:
    draft = CouncilDraft.objects.create(council=make_council(), name="Draft", document={})

    answer = admin.post(f"/admin/councils/councildraft/{draft.pk}/change/", {"name": "Draft", "document": text})

    assert sentence in str(answer.context["adminform"].form.errors["document"])
