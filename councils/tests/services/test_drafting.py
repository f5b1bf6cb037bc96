"""Drafts: how a council could sit is tried and checked without anything that stays, and publishing can be taken back."""

from typing import Any

import pytest

from councils.models import CouncilConfiguration, CouncilDraft, CouncilMember, PromptTemplate, User
from councils.services.configuration import ConfigurationRejected
from councils.services.drafting import AlreadyPublished, document_of, keep_draft, propose, publish_draft
from councils.tests.factories import make_council, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council(is_default=True, slug="pricing")


def changed(council: CouncilConfiguration, **fields: Any) -> dict[str, Any]:
    return document_of(council) | fields


def sitting(council: CouncilConfiguration) -> dict[str, Any]:
    return document_of(CouncilConfiguration.objects.get(pk=council.pk))


def test_a_proposal_leaves_no_trace(council: CouncilConfiguration) -> None:
    before, members = sitting(council), list(CouncilMember.objects.values().order_by("pk"))
    document = changed(council, quorum=3)
    document["seats"] = document["seats"][:3]

    proposal = propose(council, document)

    assert len(proposal.snapshot.spec.seats) == 3
    assert proposal.snapshot.spec.quorum == 3
    assert proposal.problems == ()
    assert sitting(council) == before
    assert list(CouncilMember.objects.values().order_by("pk")) == members


def test_a_council_proposed_as_it_sits_changes_nothing(council: CouncilConfiguration) -> None:
    assert propose(council, document_of(council)).changes == ()


def test_all_that_is_wrong_with_a_draft_is_said_at_once(council: CouncilConfiguration) -> None:
    document = changed(council, voting_system="dice", chairman_model="no/model", seets=[])

    with pytest.raises(ConfigurationRejected) as refused:
        propose(council, document)

    assert len(refused.value.problems) == 3


def test_a_council_that_is_off_has_problems_instead_of_a_refusal(council: CouncilConfiguration) -> None:
    off = make_council(is_active=False)
    document = changed(off)
    document["seats"] = document["seats"][:1]

    assert "The council needs at least 3 answering seats and has 1." in propose(off, document).problems


def test_publishing_keeps_who_may_ask_and_how_it_sat_before(council: CouncilConfiguration, root: User) -> None:
    before = document_of(council)
    draft = keep_draft(council=council, document=changed(council, quorum=3, is_active=False, slug="stolen"), by=root)

    changes = publish_draft(draft=draft, by=root)

    council.refresh_from_db()
    assert (council.quorum, council.is_active, council.is_default, council.slug) == (3, True, True, "pricing")
    assert changes == ("updated council pricing: quorum",)
    kept = CouncilDraft.objects.open().get()
    assert kept.document == before
    publish_draft(draft=kept, by=root)
    assert sitting(council) == before


def test_a_draft_is_published_once(council: CouncilConfiguration, root: User) -> None:
    draft = keep_draft(council=council, document=changed(council, quorum=3), by=root)
    publish_draft(draft=draft, by=root)

    with pytest.raises(AlreadyPublished):
        publish_draft(draft=draft, by=root)
    assert CouncilDraft.objects.count() == 2


def test_a_draft_that_cannot_deliberate_is_not_published(council: CouncilConfiguration, root: User) -> None:
    draft = keep_draft(council=council, document=changed(council, quorum=9), by=root)

    with pytest.raises(ConfigurationRejected):
        publish_draft(draft=draft, by=root)
    council.refresh_from_db()
    draft.refresh_from_db()
    assert (council.quorum, draft.is_open) == (2, True)


def test_a_draft_keeps_the_version_of_its_prompt_when_a_newer_one_comes(council: CouncilConfiguration) -> None:
    first = PromptTemplate.objects.add_version(stage="opinions", name="brief", text="Be brief. {question}")
    CouncilConfiguration.objects.filter(pk=council.pk).update(stage1_prompt_template=first)
    document = sitting(council)
    PromptTemplate.objects.add_version(stage="opinions", name="brief", text="Be very brief. {question}")

    assert propose(council, document).snapshot.spec.prompts.opinion == "Be brief. {question}"
