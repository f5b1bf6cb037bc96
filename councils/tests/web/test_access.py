"""Who gets to see what, over every address of the pages."""

from unittest.mock import Mock

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone

from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.factories import make_run, make_user
from councils.web.urls import urlpatterns

# Every address of the pages: whether it demands a signed-in user, and the methods that it takes.
ROUTES = {
    "ask": ("/", True, {"GET", "HEAD", "POST"}),
    "estimate": ("/estimate/", True, {"POST"}),
    "login": ("/sign-in/", False, {"GET", "HEAD", "POST", "PUT", "OPTIONS"}),
    "logout": ("/sign-out/", False, {"POST", "OPTIONS"}),
    "signup": ("/sign-up/", False, {"GET", "HEAD", "POST"}),
    "theme": ("/theme/", False, {"POST"}),
    "language": ("/language/", False, {"POST"}),
    "settings": ("/settings/", True, {"GET", "HEAD", "POST"}),
    "change_password": ("/settings/password/", True, {"GET", "HEAD", "POST", "PUT", "OPTIONS"}),
    "usage": ("/usage/", True, {"GET", "HEAD"}),
    "favicon": ("/favicon.ico", False, {"GET", "HEAD"}),
    "metrics": ("/metrics", False, {"GET", "HEAD"}),
    "conversations": ("/conversations/", True, {"GET", "HEAD"}),
    "conversation": ("/conversations/{thread}/", True, {"GET", "HEAD", "POST"}),
    "conversation_rename": ("/conversations/{thread}/rename/", True, {"POST"}),
    "conversation_archive": ("/conversations/{thread}/archive/", True, {"POST"}),
    "conversation_unarchive": ("/conversations/{thread}/unarchive/", True, {"POST"}),
    "conversation_delete": ("/conversations/{thread}/delete/", True, {"POST"}),
    "conversation_restore": ("/conversations/{thread}/restore/", True, {"POST"}),
    "run": ("/runs/{run}/", True, {"GET", "HEAD"}),
    "run_parts": ("/runs/{run}/parts/head/", True, {"GET", "HEAD"}),
    "run_cancel": ("/runs/{run}/cancel/", True, {"POST"}),
    "run_retry": ("/runs/{run}/retry/", True, {"POST"}),
    "run_regenerate": ("/runs/{run}/regenerate/", True, {"POST"}),
    "run_again": ("/runs/{run}/again/", True, {"POST"}),
    "run_pick": ("/runs/{run}/pick/", True, {"POST"}),
    "run_feedback": ("/runs/{run}/feedback/", True, {"POST"}),
}
OWNED = [name for name, (path, _, _) in ROUTES.items() if "{" in path]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_run(owner=ada, council=council)


def path_of(name: str, run: CouncilRun) -> str:
    return ROUTES[name][0].format(run=run.public_id, thread=run.conversation.public_id)


def test_every_address_of_the_pages_is_in_the_table() -> None:
    assert {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern)} == set(ROUTES)


@pytest.mark.parametrize("name", [name for name, (_, guarded, _) in ROUTES.items() if guarded])
def test_a_stranger_is_led_to_the_sign_in_page(client: Client, run: CouncilRun, name: str) -> None:
    for method in ("GET", "POST"):
        response = client.generic(method, path_of(name, run))
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/?next=/")


@pytest.mark.parametrize("name", OWNED)
@pytest.mark.parametrize("is_staff", [False, True])
def test_what_belongs_to_somebody_else_is_not_there(client: Client, run: CouncilRun, name: str, is_staff: bool) -> None:
    client.force_login(make_user(is_staff=is_staff, is_superuser=is_staff))

    for method in ROUTES[name][2]:
        assert client.generic(method, path_of(name, run)).status_code == 404
    run.refresh_from_db()
    assert run.cancelled_by is None


@pytest.mark.parametrize("name", [name for name in OWNED if name != "conversation_restore"])
def test_what_belongs_to_a_deleted_conversation_is_not_there(page: Client, run: CouncilRun, name: str) -> None:
    run.conversation.deleted_at = timezone.now()
    run.conversation.save()

    assert {page.generic(method, path_of(name, run)).status_code for method in ROUTES[name][2]} == {404}


@pytest.mark.parametrize("name", [name for name in ROUTES if name not in {"login", "logout", "signup"}])
def test_no_address_takes_a_method_that_it_does_not_know(page: Client, run: CouncilRun, name: str) -> None:
    refused = {method for method in METHODS if page.generic(method, path_of(name, run)).status_code == 405}

    assert refused == set(METHODS) - ROUTES[name][2]


@pytest.mark.parametrize("identifier", ["1", "nothing", "a" * 5000, "%00", "%ff", "..%2f..", "' OR 1=1 --", "\u200b"])
def test_an_id_that_is_none_is_not_found(page: Client, identifier: str) -> None:
    assert page.get(f"/runs/{identifier}/").status_code == 404
    assert page.get(f"/conversations/{identifier}/").status_code == 404


def test_a_page_that_does_not_exist_is_friendly_and_holds_no_script(client: Client, db: None) -> None:
    response = client.get("/no-such-page/")

    assert response.status_code == 404
    assert "There is nothing here" in response.text
    assert "<script" not in response.text


def test_a_fault_of_ours_is_friendly(client: Client, page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("councils.web.conversations._with_newest_run", fail)
    page.raise_request_exception = False

    response = page.get("/conversations/")

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text


@pytest.mark.parametrize(
    "name", [name for name, (_, _, methods) in ROUTES.items() if "GET" in methods and name not in {"favicon", "metrics"}]
)
def test_every_page_has_the_strict_policy_and_nothing_inline(page: Client, run: CouncilRun, name: str) -> None:
    response = page.get(path_of(name, run), follow=True)

    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    for forbidden in ("<style", " style=", " onclick=", " onload=", "javascript:", "<script>", "http://", "https://"):
        assert forbidden not in response.text


@pytest.mark.parametrize("error", [OperationalError("database is locked"), InterfaceError("connection already closed")])
def test_a_database_that_is_away_is_told_as_what_passes(client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    client.raise_request_exception = False
    monkeypatch.setattr("councils.web.accounts._over_sign_in_limit", Mock(side_effect=error))

    answer = client.post("/sign-in/", {"username": "ada", "password": "x"})

    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "cannot reach its database" in answer.text
