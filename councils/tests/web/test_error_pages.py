"""Pages of errors are no dead ends."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import InternalError, OperationalError
from django.template.loader import render_to_string
from django.test import Client
from psycopg.errors import ReadOnlySqlTransaction

from councils.models import User

READ_ONLY = InternalError("cannot execute UPDATE in a read-only transaction")
READ_ONLY.__cause__ = ReadOnlySqlTransaction()
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


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_each_says_what_happened_and_where_to_go(status: int) -> None:
    text = render_to_string(f"{status}.html", {"wait_s": 12})

    assert f"Error {status}" in text
    assert text.count("<h1>") == text.count('<p class="lead">') == 1
    assert '<a class="button primary" href="/">' in text


@pytest.mark.parametrize(("fault", "status"), [(RuntimeError("boom"), 500), (OperationalError("gone"), 503), (READ_ONLY, 503)])
def test_a_crash_asks_no_database_and_keeps_language_and_look(
    page: Client, fault: Exception, status: int, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise fault

    monkeypatch.setattr("councils.web.accounts.SignIn.dispatch", fail)
    stranger = Client(raise_request_exception=False)
    stranger.post("/language/", {"language": "fr"})
    stranger.post("/theme/", {"theme": "dark"})

    with django_assert_num_queries(0):
        response = stranger.get("/sign-in/")

    assert response.status_code == status
    assert '<html lang="fr" data-theme="dark">' in response.text
    assert response.headers.get("Retry-After") == ("10" if status == 503 else None)


def test_language_and_look_can_be_chosen_on_an_error_page(page: Client) -> None:
    text = page.get("/nothing/here/").text

    assert 'action="/language/"' in text
    assert 'name="next" value="/nothing/here/"' in text
