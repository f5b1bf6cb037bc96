"""No page of the site is left out of the gallery, which the tests in the browser walk through."""

import pytest
from django.test import Client
from django.urls import URLPattern, resolve, reverse
from pytest_django.fixtures import Settings

from councils.tests.browser.gallery import Gallery, hang
from councils.web.urls import urlpatterns

PARTS_AND_FILES = {"run_parts", "favicon", "metrics"}
SOME_ID = "a" * 26


@pytest.fixture
def gallery(settings: Settings, db: None) -> Gallery:
    settings.ROOT_URLCONF = "councils.tests.browser.broken_urls"
    settings.SIGNUP_ENABLED = True
    return hang()


def test_every_page_is_in_the_gallery(gallery: Gallery, client: Client) -> None:
    """What is not in it answers no GET."""
    shown = {resolve(place.path.partition("?")[0]).url_name for place in gallery.places if not place.path.startswith("/nothing")}
    names = {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern)}
    client.cookies["sessionid"] = gallery.sessions["ada"]
    for name in sorted(filter(None, names - shown - PARTS_AND_FILES)):
        patterns = [pattern for pattern in urlpatterns if isinstance(pattern, URLPattern) and pattern.name == name]
        arguments = {"public_id": SOME_ID} if "public_id" in str(patterns[0].pattern) else {}
        assert client.get(reverse(name, kwargs=arguments)).status_code == 405, f"{name} has no place in the gallery"


def test_names_in_the_gallery_are_unique(gallery: Gallery) -> None:
    names = [place.name for place in gallery.places]

    assert len(names) == len(set(names))
