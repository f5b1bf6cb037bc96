"""Who may do what: every route × method × person, and how one comes in."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from councils.api.urls import urlpatterns
from councils.models import ApiKey, CouncilConfiguration, CouncilRun, User
from councils.tests.api.conftest import ClientOf
from councils.tests.api.rows import make_model, make_run

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
NO = 405

# Route by method: what the owner's program gets. Where a stranger's or staff's differs, it is in the tables below.
ALLOWED: dict[str, dict[str, int]] = {
    "council-list": {"get": 200},
    "council-detail": {"get": 200},
    "council-estimate": {"post": 200},
    "model-list": {"get": 200},
    "model-detail": {"get": 200},
    "conversation-list": {"get": 200},
    "conversation-detail": {"get": 200, "patch": 200, "delete": 204},
    "conversation-messages": {"get": 200},
    "run-list": {"get": 200, "post": 202},
    "run-detail": {"get": 200},
    "run-events": {"get": 200},
    "run-cancel": {"post": 202},
    # The run of the matrix is still going on.
    "run-retry": {"post": 409},
    "run-regenerate": {"post": 409},
    "run-again": {"post": 409},
    "run-feedback": {"put": 400, "delete": 204},
}
ALLOWED |= {"usage": {"get": 200}, "task": {"get": 200}}
ALLOWED |= {"cache-health": {"get": 200}, "cache-stats": {"get": 200}, "cache-invalidate": {"delete": 200}}
PUBLIC = {"schema", "docs"}
ASKING = {("run-list", "post"), ("council-estimate", "post")}
STAFF_ONLY = {"cache-health", "cache-stats", "cache-invalidate"}
# Nobody but the owner sees these, staff included.
PRIVATE = {"conversation-detail", "conversation-messages", "run-detail", "run-events", "run-cancel"}
PRIVATE |= {"task", "run-retry", "run-regenerate", "run-again", "run-feedback"}
PEOPLE = ("owner", "stranger", "staff", "nobody", "revoked")


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    make_model()
    return make_run(ada, council)


@pytest.fixture
def addresses(run: CouncilRun) -> dict[str, str]:
    conversation, one = f"/api/v1/conversations/{run.conversation.public_id}/", f"/api/v1/runs/{run.public_id}/"
    return {
        "cache-health": "/api/cache/health",
        "cache-stats": "/api/cache/stats",
        "cache-invalidate": "/api/cache/invalidate/llm",
        "usage": "/api/v1/usage/",
        "council-list": "/api/v1/councils/",
        "council-detail": "/api/v1/councils/wise/",
        "council-estimate": "/api/v1/councils/wise/estimate/",
        "model-list": "/api/v1/models/",
        "model-detail": "/api/v1/models/here/small:1b/",
        "conversation-list": "/api/v1/conversations/",
        "conversation-detail": conversation,
        "conversation-messages": f"{conversation}messages/",
        "run-list": "/api/v1/runs/",
        "run-detail": one,
        "run-events": f"{one}events/",
        "run-cancel": f"{one}cancel/",
        "run-retry": f"{one}retry/",
        "run-regenerate": f"{one}regenerate/",
        "run-again": f"{one}again/",
        "run-feedback": f"{one}feedback/",
        "task": f"/api/v1/tasks/{run.public_id}/",
    }


@pytest.fixture
def clients(ada: User, bob: User, staff: User, client_of: ClientOf) -> dict[str, Client]:
    key, text = ApiKey.issue(user=ada, name="old")
    key.revoke()
    revoked = Client(headers={"authorization": f"Bearer {text}"})
    return {"owner": client_of(ada), "stranger": client_of(bob), "staff": client_of(staff), "nobody": Client(), "revoked": revoked}


def expected(person: str, route: str, method: str) -> int:
    if person in {"nobody", "revoked"}:
        return 401
    if route in STAFF_ONLY and person != "staff":
        return 403
    known = ALLOWED[route] | ({"head": ALLOWED[route]["get"]} if "get" in ALLOWED[route] else {})
    if method not in known:
        return NO
    return 404 if person != "owner" and route in PRIVATE else known[method]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("route", ALLOWED)
@pytest.mark.parametrize("method", METHODS)
def test_every_cell_of_the_matrix(clients: dict[str, Client], addresses: dict[str, str], person: str, route: str, method: str) -> None:
    body: dict[str, Any] = {"question": "Why?"} if (route, method) in ASKING else {}
    sent = {} if method in {"get", "head", "trace"} else {"data": body, "content_type": "application/json"}

    answer = getattr(clients[person], method)(addresses[route], **sent)

    assert answer.status_code == expected(person, route, method)


def names(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def test_no_route_is_outside_the_matrix() -> None:
    assert set(names(urlpatterns)) == set(ALLOWED) | PUBLIC | {"nothing"}


@pytest.mark.parametrize("route", ["council-list", "run-list", "conversation-list"])
def test_a_stranger_sees_nothing_of_others_in_lists(clients: dict[str, Client], addresses: dict[str, str], route: str) -> None:
    seen = clients["stranger"].get(addresses[route]).json()["count"]

    assert seen == (1 if route == "council-list" else 0)


def test_only_staff_see_what_is_switched_off(clients: dict[str, Client], run: CouncilRun) -> None:
    CouncilConfiguration.objects.update(is_active=False, is_default=False)
    model = make_model()
    model.is_active = False
    model.save()

    def seen(person: str) -> tuple[int, int]:
        return clients[person].get("/api/v1/councils/wise/").status_code, clients[person].get("/api/v1/models/here/small:1b/").status_code

    assert seen("owner") == (404, 404)
    assert seen("staff") == (200, 200)
    assert clients["staff"].get("/api/v1/councils/wise/").json()["problem"] == "It is switched off."


class TestComingIn:
    def test_who_shows_nothing_is_told_how(self, run: CouncilRun) -> None:
        answer = Client().get("/api/v1/runs/")

        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="LLM Council"'

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer llmc_wrong", "Bearer a b", "Bearer \xff", "bearer " + "x" * 5000])
    def test_a_key_that_is_none_is_refused_in_the_same_words(self, db: None, header: str) -> None:
        answer = Client(headers={"authorization": header}).get("/api/v1/runs/")

        assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
        assert answer.json()["message"] == "This API key is unknown, expired or revoked."

    def test_a_bad_key_is_not_made_good_by_a_session(self, ada: User) -> None:
        browser = Client(headers={"authorization": "Bearer llmc_wrong"})
        browser.force_login(ada)

        assert browser.get("/api/v1/runs/").status_code == 401

    def test_another_scheme_is_left_to_others(self, ada: User) -> None:
        assert Client(headers={"authorization": "Basic YWRhOmE="}).get("/api/v1/runs/").json()["code"] == "not_authenticated"

    def test_an_expired_key_and_one_of_a_closed_account_are_refused(self, ada: User, client_of: ClientOf) -> None:
        api = client_of(ada)
        assert api.get("/api/v1/runs/").status_code == 200

        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert api.get("/api/v1/runs/").status_code == 401

        ApiKey.objects.update(expires_at=None)
        User.objects.update(is_active=False)
        assert api.get("/api/v1/runs/").status_code == 401

    def test_a_session_may_read(self, ada: User) -> None:
        browser = Client()
        browser.force_login(ada)

        assert browser.get("/api/v1/runs/").status_code == 200

    def test_a_session_writes_only_with_its_token(self, ada: User, council: CouncilConfiguration) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(ada)

        refused = browser.post("/api/v1/runs/", {"question": "Why?"}, content_type="application/json")
        token = browser.get("/api/docs/").wsgi_request.META["CSRF_COOKIE"]
        taken = browser.post("/api/v1/runs/", {"question": "Why?"}, content_type="application/json", headers={"x-csrftoken": token})

        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert taken.status_code == 202
        assert CouncilRun.objects.count() == 1

    def test_a_key_needs_no_token(self, ada: User, council: CouncilConfiguration) -> None:
        _, key = ApiKey.issue(user=ada, name="program")
        program = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {key}"})

        assert program.post("/api/v1/runs/", {"question": "Why?"}, content_type="application/json").status_code == 202
