import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import Conversation, CouncilConfiguration, CouncilRun, ModelInfo, RunOrigin, User
from councils.tests.factories import make_council, make_run, make_user


def test_a_question_starts_a_run_and_leads_to_its_page(page: Client, ada: User, council: CouncilConfiguration) -> None:
    response = page.post("/", {"council": council.slug, "question": "  How should we price it?\r\nBy seat? "})

    run = CouncilRun.objects.get()
    assert response["Location"] == f"/runs/{run.public_id}/"
    assert run.message.text == "How should we price it?\nBy seat?"
    assert (run.owner, run.council, run.origin) == (ada, council, RunOrigin.WEB.value)


def test_a_question_can_be_asked_blind_and_the_choice_is_kept(page: Client, ada: User, council: CouncilConfiguration) -> None:
    order = {"council": council.slug, "question": "Which?", "nonce": "n"}
    assert 'name="blind" id="id_blind">' in page.get("/").text

    page.post("/", {**order, "blind": "on"})
    assert CouncilRun.objects.get().blind
    assert 'name="blind" id="id_blind" checked>' in page.get("/").text

    page.post("/", order)
    assert [run.blind for run in CouncilRun.objects.order_by("pk")] == [True, False]
    assert 'name="blind" id="id_blind">' in page.get("/").text


def test_what_others_or_programs_ask_is_not_this_reader_s_choice(page: Client, ada: User, council: CouncilConfiguration) -> None:
    first = make_run(owner=ada, council=council, blind=True)
    make_run(owner=make_user("bob"), council=council)
    make_run(owner=ada, council=council, origin=RunOrigin.API)
    make_run(owner=ada, council=council, based_on=first)

    assert 'name="blind" id="id_blind" checked>' in page.get("/").text


def test_the_form_shows_each_council_with_its_seats(page: Client, council: CouncilConfiguration) -> None:
    text = page.get("/").text

    assert "Pricing council" in text
    for member in council.members.select_related("model"):
        assert member.name in text
        assert member.model.display_name in text


def test_the_default_council_is_chosen_unless_the_address_names_another(page: Client, council: CouncilConfiguration) -> None:
    first = make_council(name="First", is_default=True)

    assert f'value="{first.slug}" checked' in page.get("/").text
    assert f'value="{council.slug}" checked' in page.get("/", {"council": council.slug}).text
    assert f'value="{first.slug}" checked' in page.get("/", {"council": "no-such"}).text


def test_the_council_that_was_chosen_last_is_ticked(page: Client, ada: User, council: CouncilConfiguration) -> None:
    default, gone = make_council(name="First", is_default=True), make_council(name="Gone")
    make_run(owner=make_user("bob"), council=gone, council_chosen=True)
    make_run(owner=ada, council=council, council_chosen=True)
    make_run(owner=ada, council=default)
    assert f'value="{council.slug}" checked' in page.get("/").text

    make_run(owner=ada, council=gone, council_chosen=True)
    gone.is_active = False
    gone.save()

    assert f'value="{default.slug}" checked' in page.get("/").text


def test_a_new_default_council_reaches_who_asked_the_old_one_unchosen(page: Client, ada: User, council: CouncilConfiguration) -> None:
    CouncilConfiguration.objects.update(is_default=True)
    new = make_council(name="New")
    page.post("/", {"council": council.slug, "question": "Why?"})
    CouncilConfiguration.objects.update(is_default=False)
    CouncilConfiguration.objects.filter(pk=new.pk).update(is_default=True)
    assert f'value="{new.slug}" checked' in page.get("/").text

    page.post("/", {"council": council.slug, "question": "Why not?"})

    assert f'value="{council.slug}" checked' in page.get("/").text
    assert [run.council_chosen for run in CouncilRun.objects.order_by("pk")] == [False, True]


@pytest.mark.parametrize(
    ("question", "status", "complaint"),
    [
        ("", 400, "The question is empty"),
        (" \n ", 400, "The question is empty"),
        ("\u200b\u200b\ufeff", 400, "The question is empty"),
        ("x" * 200_001, 400, "It has 200,001 characters; 200,000 are allowed."),
        ("a\x00b", 400, "Null characters"),
    ],
    ids=["empty", "blank", "zero-width", "too long", "nul"],
)
def test_a_question_that_cannot_be_asked_is_given_back_with_the_reason(
    page: Client, council: CouncilConfiguration, question: str, status: int, complaint: str
) -> None:
    response = page.post("/", {"council": council.slug, "question": question})

    assert response.status_code == status
    assert complaint in response.text
    assert not CouncilRun.objects.exists()
    assert not Conversation.objects.exists()


def test_the_text_of_a_refused_question_is_kept(page: Client, council: CouncilConfiguration) -> None:
    response = page.post("/", {"council": "no-such", "question": "Is <b>this</b> kept?"})

    assert response.status_code == 400
    assert "This council cannot be asked any more" in response.text
    assert "Is &lt;b&gt;this&lt;/b&gt; kept?" in response.text


def test_a_question_without_a_council_asks_for_one(page: Client, council: CouncilConfiguration) -> None:
    assert "Choose a council." in page.post("/", {"question": "Why?"}).text


@pytest.mark.parametrize("field", ["is_active", "archived_at"])
def test_a_council_that_was_switched_off_meanwhile_cannot_be_asked(page: Client, council: CouncilConfiguration, field: str) -> None:
    value = False if field == "is_active" else "2026-01-01T00:00Z"
    CouncilConfiguration.objects.update(**{field: value})

    response = page.post("/", {"council": council.slug, "question": "Why?"})

    assert response.status_code == 400
    assert not CouncilRun.objects.exists()


def test_a_council_with_too_few_working_seats_says_so(page: Client, council: CouncilConfiguration) -> None:
    ModelInfo.objects.filter(seats__position__gt=2).update(is_active=False)

    response = page.post("/", {"council": council.slug, "question": "Why?"})

    assert response.status_code == 409
    assert "This council cannot be asked now." in response.text
    assert ">Why?</textarea>" in response.text


def test_a_form_sent_twice_asks_once(page: Client, council: CouncilConfiguration) -> None:
    sent = {"council": council.slug, "question": "Why?", "nonce": "abc"}

    assert page.post("/", sent)["Location"] == page.post("/", sent)["Location"]
    assert CouncilRun.objects.count() == 1


def test_a_form_sent_again_with_another_text_is_another_question(page: Client, council: CouncilConfiguration) -> None:
    page.post("/", {"council": council.slug, "question": "Why?", "nonce": "abc"})
    page.post("/", {"council": council.slug, "question": "Why not?", "nonce": "abc"})

    assert CouncilRun.objects.count() == 2


def test_every_form_that_is_shown_has_a_nonce_of_its_own(page: Client, council: CouncilConfiguration) -> None:
    assert page.get("/").context["form"].initial["nonce"] != page.get("/").context["form"].initial["nonce"]


def test_two_people_with_one_nonce_ask_two_questions(client: Client, council: CouncilConfiguration) -> None:
    for user in (make_user(), make_user()):
        client.force_login(user)
        client.post("/", {"council": council.slug, "question": "Why?", "nonce": "abc"})

    assert CouncilRun.objects.count() == 2


def test_questions_are_limited_and_the_text_is_kept(page: Client, council: CouncilConfiguration) -> None:
    for number in range(20):
        page.post("/", {"council": council.slug, "question": f"Question {number}"})

    response = page.post("/", {"council": council.slug, "question": "One more"})

    assert response.status_code == 429
    assert "Wait a moment" in response.text
    assert ">One more</textarea>" in response.text
    assert CouncilRun.objects.count() == 20


def test_a_body_that_is_too_large_is_refused_kindly(page: Client, council: CouncilConfiguration, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = page.post("/", {"council": council.slug, "question": "x" * 2000})

    assert response.status_code == 400
    assert "cannot be read" in response.text


def test_without_a_council_a_visitor_is_told_whom_to_ask(page: Client) -> None:
    text = page.get("/").text

    assert "There is no council yet" in text
    assert "The people who run this site" in text
    assert "/admin/" not in text
    assert "<textarea" not in text


def test_without_a_council_staff_are_led_to_the_admin(client: Client, db: None) -> None:
    client.force_login(make_user(is_staff=True))

    assert 'href="/admin/"' in client.get("/").text


def test_the_first_page_shows_the_last_conversations(page: Client, ada: User, council: CouncilConfiguration) -> None:
    mine = make_run(owner=ada, council=council, question="Mine?")
    make_run(council=council, question="Somebody else's?")

    text = page.get("/").text

    assert mine.conversation.public_id in text
    assert "Somebody else" not in text
