"""No page has English left on it when it is read in French."""

import re
from collections import defaultdict

import pytest
from django.conf import settings as site
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import CouncilConfiguration, User
from councils.tests.browser.gallery import Gallery, hang
from councils.tests.factories import make_council, make_run
from councils.tests.french import english_in
from councils.web.language import ENGLISH_ONLY

FRENCH_NUMBER_FOR_A_MACHINE = re.compile(r' (?:width|height|x|y|cx|cy|r|value|max|datetime|data-[a-z-]+)="-?\d+,\d')


@pytest.fixture
def gallery(db: None, settings: Settings) -> Gallery:
    settings.ROOT_URLCONF = "councils.tests.browser.broken_urls"
    settings.SIGNUP_ENABLED = True
    gallery = hang()
    gallery.places = [place for place in gallery.places if not place.path.startswith(ENGLISH_ONLY)]
    return gallery


def in_french(who: str) -> Client:
    client = Client(raise_request_exception=False)
    client.cookies[site.LANGUAGE_COOKIE_NAME] = "fr"
    if who:
        client.force_login(User.objects.get(username=who))
    return client


def test_no_english_is_left_on_any_page(gallery: Gallery) -> None:
    left: defaultdict[str, list[str]] = defaultdict(list)
    for place in gallery.places:
        with place.while_():
            page = in_french(place.who).get(place.path).text
        assert '<html lang="fr"' in page, place.name
        assert not FRENCH_NUMBER_FOR_A_MACHINE.search(page), place.name
        for text in english_in(page):
            left[text].append(place.name)

    assert not left, "\n".join(f"{text} -- {', '.join(places)}" for text, places in left.items())


REFUSED = {
    "/sign-in/": ({"username": "ada", "password": "wrong"}, "Vérifiez les majuscules"),
    "/sign-up/": ({"username": "ada", "password1": "1234", "password2": "12"}, "existe déjà"),
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_a_stranger_did_wrong_is_told_in_french(db: None, settings: Settings, ada: User, path: str) -> None:
    settings.SIGNUP_ENABLED = True
    fields, complaint = REFUSED[path]

    page = in_french("").post(path, fields).text

    assert complaint in page
    assert english_in(page) == []


@pytest.mark.parametrize(
    ("path", "fields", "complaint"),
    [
        ("/", {"question": " "}, "La question est vide."),
        ("/", {"question": "?" * 200_001}, "La question est trop longue."),
        ("/settings/", {"theme": "pink"}, "Sélectionnez un choix valide"),
        ("/settings/password/", {"old_password": "wrong"}, "Votre ancien mot de passe est incorrect"),
    ],
)
def test_what_a_reader_did_wrong_is_told_in_french(ada: User, path: str, fields: dict[str, str], complaint: str) -> None:
    council: CouncilConfiguration = make_council()

    page = in_french("ada").post(path, {"council": council.slug, **fields}).text

    assert complaint in page
    assert english_in(page) == []


def test_english_is_known_when_it_is_seen(db: None) -> None:
    assert english_in("<p>Skip to the content</p>") == ["Skip to the content"]
    assert english_in("<p>3 of 4 ballots counted</p>") == ["3 of 4 ballots counted"]
    assert english_in('<button aria-label="Nobody marked this"></button>') == ["Nobody marked this"]
    assert english_in("<p>Aller au contenu</p><h1>Conversations</h1>") == []


def test_what_people_and_models_wrote_is_no_english_of_ours(db: None) -> None:
    make_council(name="The reading council")

    assert english_in('<p dir="auto">This is the answer.</p> <bdi>You</bdi> <button lang="en">English</button>') == []
    assert english_in('<button aria-label="Renommer The reading council"></button>') == []


def test_texts_of_people_and_models_do_not_claim_to_be_french(ada: User) -> None:
    run = make_run(owner=ada, question="How much?", answer="Ten *months*.")

    page = in_french("ada").get(f"/runs/{run.public_id}/").text

    assert '<h1 class="question" dir="auto" lang="">How much?</h1>' in page
    assert '<div class="prose" dir="auto" lang=""><p>Ten <em>months</em>.</p>' in page
