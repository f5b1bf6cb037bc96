"""The menu and the lists that hold nothing yet."""

import re

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse

from councils.admin.empty import EMPTY
from councils.models import User

pytestmark = pytest.mark.django_db

LINK = re.compile(r'<a href="([^"]+)" class="menu-link[^>]*>.*?</span><span>([^<]+)</span>')


def menu(client: Client) -> dict[str, str]:
    return dict(LINK.findall(client.get(reverse("admin:index")).content.decode()))


def test_the_menu_calls_each_list_as_its_page_does(admin: Client) -> None:
    shown = menu(admin)

    for model in site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if address in shown:
            assert shown[address].casefold() == str(model._meta.verbose_name_plural).casefold()
    assert len(shown) > 20


def test_the_menu_begins_with_what_needs_attention(admin: Client) -> None:
    assert list(menu(admin).values())[:3] == ["Today", "Runs that need attention", "Councils"]


def test_the_menu_leaves_out_what_one_may_not_see(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert set(menu(client).values()) == {"Today", "API documentation"}


@pytest.mark.parametrize("name", ["provider", "trial"])
def test_an_empty_list_says_what_it_is_for(admin: Client, name: str) -> None:
    page = admin.get(reverse(f"admin:councils_{name}_changelist")).content.decode()

    assert EMPTY[name].says.replace("'", "&#x27;") in page
    assert ("Add provider" if name == "provider" else "Open the councils") in page


def test_a_list_that_was_narrowed_to_nothing_says_so(admin: Client) -> None:
    page = admin.get(reverse("admin:councils_provider_changelist") + "?q=zebra").content.decode()

    assert "Nothing fits" in page
    assert EMPTY["provider"].says not in page
