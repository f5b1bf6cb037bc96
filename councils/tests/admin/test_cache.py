"""Looking after the cache in the admin."""

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django.fixtures import Settings

from councils.caching import rows
from councils.caching.fast import ALIAS, FastTier
from councils.caching.rows import Entry
from councils.models import AuditEntry, CachedResponse, CouncilConfiguration, ModelCall, ModelInfo
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import council_form
from councils.tests.factories import make_model, make_run

pytestmark = pytest.mark.django_db

LIST = "/admin/councils/cachedresponse/"
CLEAR = f"{LIST}clear/llm/"


@pytest.fixture(autouse=True)
def kept() -> None:
    """Two answers of models and one result of a tool."""
    caches[ALIAS].clear()
    for kind, key in (("llm", "a"), ("llm", "b"), ("mcp", "c")):
        rows.keep(Entry(kind=kind, key=key * 64, data={"text": "Blue."}, ttl_s=60))
        FastTier().put(kind, key * 64, {"text": "Blue."}, ttl_s=60)


def text_of(browser: Client, address: str = LIST) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_figures_of_each_kind_stand_above_the_list(admin: Client) -> None:
    rows.note_uses({}, {"llm": (4, 3)})

    page = text_of(admin)

    assert 'scope="row">Answers of models</th><td class="py-1 pr-4">2</td>' in page
    assert "75%" in page
    assert 'scope="row">Intent analyses</th><td class="py-1 pr-4">0</td>' in page


def test_clearing_a_kind_asks_first_and_leaves_the_others(admin: Client) -> None:
    assert "2 responses" in text_of(admin, CLEAR)
    assert CachedResponse.objects.count() == 3

    admin.post(CLEAR)

    assert list(CachedResponse.objects.values_list("kind", flat=True)) == ["mcp"]
    assert FastTier().get("llm", "a" * 64) is None


def test_a_kind_that_does_not_exist_is_not_found(admin: Client) -> None:
    assert admin.get(f"{LIST}clear/everything/").status_code == 404


def test_only_who_may_delete_clears() -> None:
    viewer, keeper = sign_in(staff_with("view_cachedresponse")), sign_in(staff_with("view_cachedresponse", "delete_cachedresponse"))

    assert "Clear the cache" not in text_of(viewer)
    assert viewer.post(CLEAR).status_code == 403
    assert CachedResponse.objects.count() == 3
    assert "Clear the cache" in text_of(keeper)
    assert keeper.post(CLEAR).status_code == 302


def test_a_cache_that_is_switched_off_says_so(admin: Client, settings: Settings) -> None:
    settings.ENABLE_CACHE = False

    assert "switched off for the whole site" in text_of(admin)


def test_calls_from_the_cache_can_be_told_apart(admin: Client) -> None:
    run = make_run()
    one = ModelCall.objects.filter(run=run)[0]
    ModelCall.objects.filter(pk=one.pk).update(cached=True)

    assert "1 result" in text_of(admin, "/admin/councils/modelcall/?cached__exact=1")
    assert "from the cache" in text_of(admin, f"/admin/councils/modelcall/{one.pk}/change/").lower()


def test_a_council_is_taken_off_the_cache_in_its_form(admin: Client) -> None:
    admin.post("/admin/councils/councilconfiguration/add/", council_form(make_model()))
    council = CouncilConfiguration.objects.get()
    assert council.use_cache

    form = council_form(ModelInfo.objects.get(), stored=council, use_cache=False)
    assert admin.post(f"/admin/councils/councilconfiguration/{council.pk}/change/", form).status_code == 302
    assert not CouncilConfiguration.objects.get().use_cache


def test_clearing_and_forgetting_are_told_in_the_trail(admin: Client) -> None:
    admin.post(
        LIST, {"action": "forget_these", "_selected_action": [CachedResponse.objects.filter(kind="llm").values_list("pk", flat=True)[0]]}
    )
    admin.post(CLEAR)

    told = AuditEntry.objects.filter(kind="councils.cachedresponse").order_by("pk").values_list("actor_name", "object_name", "note")
    assert list(told) == [
        ("root", "Chosen responses", "1 cached responses were forgotten."),
        ("root", "Answers of models, all", "1 cached responses were forgotten."),
    ]
