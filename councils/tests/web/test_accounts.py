import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import User
from councils.tests.factories import make_user

PASSWORD = "a long enough secret"


def sign_in(client: Client, **fields: str) -> int:
    return client.post("/sign-in/", {"username": "ada", "password": PASSWORD, **fields}).status_code


def test_signing_in_leads_to_the_first_page(client: Client, ada: User) -> None:
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD})

    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.session[SESSION_KEY] == str(ada.pk)


def test_signing_in_leads_to_the_page_that_was_wanted(client: Client, ada: User) -> None:
    wanted = client.get("/conversations/")
    assert wanted["Location"] == "/sign-in/?next=/conversations/"

    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": "/conversations/"})

    assert response["Location"] == "/conversations/"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(client: Client, ada: User, target: str) -> None:
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": target})

    assert response["Location"] == "/"


def test_a_wrong_password_says_what_to_do(client: Client, ada: User) -> None:
    response = client.post("/sign-in/", {"username": "ada", "password": "wrong"})

    assert response.status_code == 200
    assert "User name and password do not match" in response.text
    assert 'value="ada"' in response.text
    assert SESSION_KEY not in client.session


def test_a_switched_off_account_cannot_sign_in(client: Client, ada: User) -> None:
    User.objects.update(is_active=False)

    assert sign_in(client) == 200
    assert SESSION_KEY not in client.session


def test_whoever_is_signed_in_needs_no_sign_in_page(page: Client) -> None:
    assert page.get("/sign-in/")["Location"] == "/"


def test_after_too_many_tries_even_the_right_password_is_refused(client: Client, ada: User) -> None:
    for _ in range(8):
        sign_in(client, password="wrong")

    response = client.post("/sign-in/", {"username": "Ada ", "password": PASSWORD})

    assert response.status_code == 429
    assert "Wait five minutes" in response.text
    assert SESSION_KEY not in client.session


def test_tries_from_elsewhere_do_not_lock_a_person_out(client: Client, ada: User) -> None:
    for _ in range(9):
        client.post("/sign-in/", {"username": "ada", "password": "wrong"}, REMOTE_ADDR="203.0.113.9")

    assert sign_in(client) == 302


def test_one_address_cannot_try_many_names(client: Client, ada: User) -> None:
    for number in range(30):
        sign_in(client, username=f"name{number}")

    assert sign_in(client) == 429


def test_signing_out_takes_a_post(page: Client) -> None:
    assert page.get("/sign-out/").status_code == 405
    assert SESSION_KEY in page.session

    assert page.post("/sign-out/")["Location"] == "/sign-in/"
    assert SESSION_KEY not in page.session


def test_signing_up_is_not_there_unless_switched_on(client: Client, db: None, settings: Settings) -> None:
    settings.SIGNUP_ENABLED = False

    assert client.get("/sign-up/").status_code == 404
    assert client.post("/sign-up/", {}).status_code == 404
    assert "/sign-up/" not in client.get("/sign-in/").text


@pytest.fixture
def open_house(settings: Settings, db: None) -> None:
    settings.SIGNUP_ENABLED = True


def test_signing_up_makes_an_ordinary_account_and_signs_in(client: Client, open_house: None) -> None:
    assert "/sign-up/" in client.get("/sign-in/").text

    response = client.post(
        "/sign-up/", {"username": "eve", "password1": PASSWORD, "password2": PASSWORD, "is_staff": "on", "is_superuser": "1"}
    )

    assert response["Location"] == "/"
    eve = User.objects.get(username="eve")
    assert client.session[SESSION_KEY] == str(eve.pk)
    assert (eve.is_staff, eve.is_superuser) == (False, False)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"username": ""}, "This field is required"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password2": "something else"}, "match"),
        ({"username": "ADA"}, "already exists"),
        ({"username": "e\x00ve"}, "Null characters"),
        ({"username": "e" * 151}, "at most 150"),
    ],
)
def test_a_sign_up_that_cannot_be_says_why(client: Client, open_house: None, changed: dict[str, str], complaint: str) -> None:
    make_user("ada")

    response = client.post("/sign-up/", {"username": "eve", "password1": PASSWORD, "password2": PASSWORD, **changed})

    assert response.status_code == 200
    assert complaint in response.text
    assert User.objects.count() == 1


def test_sign_ups_from_one_address_are_limited(client: Client, open_house: None) -> None:
    for _ in range(10):
        client.post("/sign-up/", {"username": ""})

    response = client.post("/sign-up/", {"username": "eve", "password1": PASSWORD, "password2": PASSWORD})

    assert response.status_code == 429
    assert "Try again in an hour" in response.text
    assert not User.objects.exists()


def test_whoever_is_signed_in_cannot_sign_up(page: Client, open_house: None) -> None:
    assert page.get("/sign-up/")["Location"] == "/"


def test_a_form_from_another_site_is_refused_kindly(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"username": "ada", "password": PASSWORD})

    assert response.status_code == 403
    assert "The form was out of date" in response.text
