"""Who may open what: every page of the admin against every kind of visitor."""

import pytest
from django.contrib import admin as django_admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from councils.models import CouncilRun, User
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_user

pytestmark = pytest.mark.django_db

MODELS = sorted((model for model in django_admin.site._registry if model._meta.app_label == "councils"), key=lambda model: model.__name__)
WRITABLE = {"ApiKey", "Budget", "CouncilConfiguration", "ModelInfo", "PromptTemplate", "Provider", "QuestionSet", "User"}


def address(model: type[Model], page: str) -> str:
    return reverse(f"admin:councils_{model._meta.model_name}_{page}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_matrix_of_pages_and_visitors(client: Client, root: User, model: type[Model]) -> None:
    name = model._meta.model_name
    visitors = {
        "nobody": client,
        "user": sign_in(make_user()),
        "staff without rights": sign_in(staff_with()),
        "staff who may view": sign_in(staff_with(f"view_{name}")),
        "staff who may add": sign_in(staff_with(f"view_{name}", f"add_{name}", f"change_{name}", f"delete_{name}")),
        "superuser": sign_in(root),
    }

    lists = {who: browser.get(address(model, "changelist")).status_code for who, browser in visitors.items()}
    forms = {who: browser.get(address(model, "add")).status_code for who, browser in visitors.items()}

    add = 200 if model.__name__ in WRITABLE else 403
    assert lists == dict(zip(visitors, (302, 302, 403, 200, 200, 200), strict=True))
    assert forms == dict(zip(visitors, (302, 302, 403, 403, add, add), strict=True))


def test_the_side_bar_shows_only_what_may_be_opened() -> None:
    page = sign_in(staff_with("view_councilrun")).get(address(CouncilRun, "changelist")).content.decode()

    assert 'href="/admin/councils/councilrun/"' in page
    assert 'href="/admin/councils/provider/"' not in page
    assert 'href="/admin/auth/group/"' not in page


def test_a_users_own_words_on_the_log_in_page_are_harmless(client: Client) -> None:
    answer = client.get("/admin/login/", {"next": "https://evil.example/<script>"}, follow=True)

    assert answer.redirect_chain[-1][0].startswith("/sign-in/?next=")
    assert b"evil.example/<script>" not in answer.content


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(client: Client, root: User, target: str) -> None:
    form = client.get("/admin/login/", {"next": target})["Location"]
    answer = client.post(form, {"username": "root", "password": "a long enough secret", "next": target})

    assert answer.status_code == 302
    assert "evil" not in answer["Location"]
    assert not answer["Location"].startswith("javascript")


def test_the_admin_has_no_way_in_of_its_own_that_could_be_tried_without_limit(client: Client, root: User) -> None:
    answer = client.post("/admin/login/", {"username": "root", "password": "a long enough secret"})

    assert answer["Location"].startswith("/sign-in/")
    assert "_auth_user_id" not in client.session


def test_who_is_signed_in_and_has_no_business_in_the_admin_is_told_so(client: Client) -> None:
    client.force_login(User.objects.create_user("visitor"))

    assert client.get("/admin/", follow=True).status_code == 403
