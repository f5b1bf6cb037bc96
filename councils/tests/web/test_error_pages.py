"""Pages of errors are no dead ends."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from councils.models import User

NAVIGATION = '<a href="/conversations/">Conversations</a>'


def answer_of(client: Client, status: int, monkeypatch: pytest.MonkeyPatch) -> str:
    if status == 403:

        def refuse(*_args: object, **_kwargs: object) -> None:
            raise PermissionDenied

        monkeypatch.setattr("councils.web.accounts.SignIn.dispatch", refuse)
    response = client.get("/sign-in/" if status == 403 else "/nothing/here/")
    assert response.status_code == status
    return " ".join(response.text.split())


@pytest.mark.parametrize("status", [403, 404])
def test_who_is_signed_in_keeps_the_navigation(page: Client, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = answer_of(page, status, monkeypatch)

    assert NAVIGATION in text
    assert "Sign out" in text
    assert "Admin" not in text


@pytest.mark.parametrize("status", [403, 404])
def test_a_stranger_is_shown_no_navigation(client: Client, db: None, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = answer_of(client, status, monkeypatch)

    assert NAVIGATION not in text
    assert "Sign out" not in text


def test_staff_find_the_admin_from_an_error_too(client: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.is_staff = True
    ada.save()
    client.force_login(ada)

    assert "Admin" in answer_of(client, 404, monkeypatch)


def test_a_form_that_is_out_of_date_keeps_the_navigation(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)

    response = browser.post("/", {"question": "?"})

    assert response.status_code == 403
    assert "The form was out of date" in response.text
    assert NAVIGATION in " ".join(response.text.split())
