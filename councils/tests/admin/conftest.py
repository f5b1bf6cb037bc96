"""Who signs in to the admin."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from councils.models import User
from councils.tests.factories import make_user


@pytest.fixture
def root(db: None) -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    """A superuser's browser."""
    client.force_login(root)
    return client


def staff_with(*permissions: str) -> User:
    """Staff with these permissions of this app, by codename."""
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="councils"))
    return user


def sign_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser
