"""Drafts in the admin: made and edited in the council's own form, published after a look at what changes, taken back."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.models import CouncilConfiguration, CouncilDraft, CouncilMember, User
from councils.services.drafting import AlreadyPublished, change_draft, document_of, keep_draft, publish_draft
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import council_form
from councils.tests.factories import make_council, make_model

pytestmark = pytest.mark.django_db

DRAFTS = "/admin/councils/councildraft/"


@pytest.fixture
def council(admin: Client) -> CouncilConfiguration:
    """Made in the form, so that the form says what is stored."""
    admin.post("/admin/councils/councilconfiguration/add/", council_form(make_model("plain")))
    return CouncilConfiguration.objects.get()


def form_of(council: CouncilConfiguration) -> str:
    return f"/admin/councils/councilconfiguration/{council.pk}/change/"


def draft_of(council: CouncilConfiguration, root: User, **changes: object) -> CouncilDraft:
    return keep_draft(council=council, document=document_of(council) | changes, by=root, name="Warmer")


def publish(admin: Client, address: str) -> str:
    """Look at the page and press its button."""
    shown = admin.get(address).context.get("shown", "")
    return admin.post(address, {"shown": shown}, follow=True).text


def with_a_new_seat(council: CouncilConfiguration, admin: Client) -> CouncilDraft:
    model = council.chairman_model
    form = council_form(model, seats=4, stored=council, members={"3-persona": "Doubt."}, quorum=3)
    admin.post(form_of(council), form | {"_draft": "yes"})
    return CouncilDraft.objects.get()


def test_the_form_can_be_kept_as_a_draft_and_changes_nothing(admin: Client, council: CouncilConfiguration) -> None:
    before = document_of(council)

    draft = with_a_new_seat(council, admin)

    assert draft.document["quorum"] == 3
    assert [seat["agent_id"] for seat in draft.document["seats"]] == ["agent_1", "agent_2", "agent_3", "agent_4"]
    assert document_of(council) == before
    assert LogEntry.objects.filter(object_id=str(council.pk)).latest("pk").change_message == "Kept the draft “Draft 1”."


def test_a_form_with_faults_is_no_draft(admin: Client, council: CouncilConfiguration) -> None:
    answer = admin.post(form_of(council), council_form(council.chairman_model, stored=council, quorum=9) | {"_draft": "yes"})

    assert answer.status_code == 200
    assert "from 1 to the number of answering seats" in answer.content.decode()
    assert not CouncilDraft.objects.exists()


def test_a_draft_is_edited_in_the_form_of_its_council(admin: Client, council: CouncilConfiguration) -> None:
    draft = with_a_new_seat(council, admin)
    address = f"{form_of(council)}?draft={draft.pk}"
    page = admin.get(address).content.decode()
    shown = dict(re.findall(r'name="(members-\d-id)" value="(\d+)"', page))
    rows = dict(re.findall(r'name="(row:[^"]+)" value="([^"]+)"', page))

    assert len(shown) == 4
    assert 'name="slug"' not in page
    assert 'name="_save"' not in page
    # Rows of other councils come in between, so that the new seat has another key at the next look.
    make_council()
    form = council_form(council.chairman_model, seats=4, quorum=2, members={"3-persona": "Agree.", "1-DELETE": True})
    form |= {"members-INITIAL_FORMS": "4", **{f"members-{n}-council": str(council.pk) for n in range(4)}}
    answer = admin.post(address, form | shown | rows | {"_draft": "yes"})

    draft.refresh_from_db()
    assert answer["Location"] == f"{DRAFTS}{draft.pk}/change/"
    assert [(seat["agent_id"], seat["persona"]) for seat in draft.document["seats"]] == [
        ("agent_1", ""), ("agent_3", ""), ("agent_4", "Agree."),
    ]  # fmt: skip
    assert draft.document["quorum"] == 2
    assert CouncilMember.objects.filter(council=council).count() == 3


def test_a_look_at_a_draft_in_the_form_changes_nothing(admin: Client, council: CouncilConfiguration) -> None:
    draft = with_a_new_seat(council, admin)
    before = document_of(council)

    for _ in range(2):
        assert admin.get(f"{form_of(council)}?draft={draft.pk}").status_code == 200
    assert admin.post(f"{form_of(council)}?draft={draft.pk}", {}).status_code == 200
    assert document_of(council) == before


def test_the_page_of_a_draft_shows_what_it_changes_and_where_to_go(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = draft_of(council, root, quorum=3)

    page = admin.get(f"{DRAFTS}{draft.pk}/change/").content.decode()

    assert "<del>2</del>" in page
    assert "<ins>3</ins>" in page
    for address in (f"{form_of(council)}?draft={draft.pk}", f"{DRAFTS}{draft.pk}/publish/", f"/try/?draft={draft.pk}"):
        assert address in page


def test_a_draft_written_as_json_says_all_its_faults(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = draft_of(council, root)
    document = json.dumps(draft.document | {"qourum": 1, "voting_system": "dice", "seats": "none"})

    page = admin.post(f"{DRAFTS}{draft.pk}/change/", {"name": "Warmer", "document": document}).content.decode()

    for fault in ("qourum: Unknown field.", "voting_system: There is no", "seats: This must be a list."):
        assert fault in page
    admin.post(f"{DRAFTS}{draft.pk}/change/", {"name": "Cooler", "document": json.dumps(draft.document | {"quorum": 3})})
    draft.refresh_from_db()
    assert (draft.name, draft.document["quorum"]) == ("Cooler", 3)


@pytest.mark.parametrize("document", ["[]", "{", "null"])
def test_what_is_no_council_is_refused_in_words(admin: Client, root: User, council: CouncilConfiguration, document: str) -> None:
    draft = draft_of(council, root)

    answer = admin.post(f"{DRAFTS}{draft.pk}/change/", {"name": "Warmer", "document": document})

    assert answer.status_code == 200
    assert answer.context["errors"]


def test_publishing_shows_the_changes_first_and_leads_back(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = draft_of(council, root, quorum=3)
    address = f"{DRAFTS}{draft.pk}/publish/"

    assert "updated council quick: quorum" in admin.get(address).content.decode()
    council.refresh_from_db()
    assert council.quorum == 2
    page = publish(admin, address)

    council.refresh_from_db()
    assert council.quorum == 3
    past = admin.get(f"{DRAFTS}{draft.pk}/change/").content.decode()
    assert "as it was published" in past
    assert "<del>2</del>" in past
    back = re.search(rf'href="({DRAFTS}\d+/publish/)">Take it back', page)
    assert back is not None
    publish(admin, back[1])
    council.refresh_from_db()
    assert council.quorum == 2
    assert "already" in admin.post(address, follow=True).content.decode()


def test_a_save_that_waited_for_the_publishing_of_its_draft_leaves_it_alone(
    admin: Client, root: User, council: CouncilConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = draft_of(council, root, quorum=3)

    def wait() -> None:
        publish_draft(draft=draft, by=root)

    monkeypatch.setattr("councils.admin.draft.take_turn", wait)

    answer = admin.post(f"{DRAFTS}{draft.pk}/change/", {"name": "W", "document": json.dumps(draft.document | {"quorum": 2})}, follow=True)

    stored = CouncilDraft.objects.get(pk=draft.pk)
    assert str(AlreadyPublished.__doc__) in answer.text
    assert not stored.is_open
    assert stored.document["quorum"] == 3


def test_a_draft_with_problems_has_no_button_to_publish_it(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = draft_of(council, root, quorum=9)

    page = admin.get(f"{DRAFTS}{draft.pk}/publish/").content.decode()

    assert "It cannot be published before this is mended." in page
    assert "The quorum is 9" in page
    publish(admin, f"{DRAFTS}{draft.pk}/publish/")
    council.refresh_from_db()
    assert council.quorum == 2


@pytest.mark.parametrize("changed", ["draft", "council"])
def test_what_nobody_was_shown_is_not_published(admin: Client, root: User, council: CouncilConfiguration, changed: str) -> None:
    draft = draft_of(council, root, quorum=3)
    address = f"{DRAFTS}{draft.pk}/publish/"
    shown = admin.get(address).context["shown"]
    if changed == "draft":
        change_draft(draft=draft, document=draft.document | {"use_cache": False})
    else:
        CouncilConfiguration.objects.update(description="Told anew")

    answer = admin.post(address, {"shown": shown}, follow=True)

    assert "changed since you looked" in answer.text
    assert answer.context["shown"] != shown
    council.refresh_from_db()
    assert council.quorum == 2


def test_drafts_of_another_council_and_published_ones_are_not_found_in_the_form(
    admin: Client, root: User, council: CouncilConfiguration
) -> None:
    other = draft_of(make_council(), root)

    for wrong in (other.pk, "x", "", 999):
        assert admin.get(f"{form_of(council)}?draft={wrong}").status_code == 404


def test_each_step_takes_its_own_right(root: User, council: CouncilConfiguration) -> None:
    draft = draft_of(council, root, quorum=3)
    editor = sign_in(staff_with("change_councilconfiguration", "view_councilconfiguration"))
    drafter = sign_in(staff_with("view_councildraft", "change_councildraft"))

    form = council_form(council.chairman_model, stored=council, quorum=3)
    assert editor.post(form_of(council), form | {"_draft": "yes"}).status_code == 403
    assert editor.get(f"{form_of(council)}?draft={draft.pk}").status_code == 403
    assert "Keep as a draft" not in editor.get(form_of(council)).content.decode()
    assert drafter.post(f"{DRAFTS}{draft.pk}/publish/").status_code == 403
    assert drafter.get(f"{DRAFTS}{draft.pk}/change/").status_code == 200
    assert drafter.get(form_of(council)).status_code == 403
    council.refresh_from_db()
    assert council.quorum == 2


def test_the_list_of_drafts_asks_no_more_for_more_of_them(admin: Client, root: User) -> None:
    draft_of(make_council(), root)
    admin.get(DRAFTS)
    with CaptureQueriesContext(connection) as few:
        admin.get(DRAFTS)
    for _ in range(3):
        draft_of(make_council(), root)

    with CaptureQueriesContext(connection) as many:
        assert admin.get(DRAFTS).status_code == 200

    assert len(many) == len(few)
