"""Prompts in the admin: a new version says who still uses an earlier one, and is put into use with one button."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils.html import escape

from councils.engine.prompts import DEFAULT_PROMPTS
from councils.models import CouncilConfiguration, PromptTemplate, RunPrompt, User
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import council_form
from councils.tests.factories import make_council, make_model, make_run

pytestmark = pytest.mark.django_db

PROMPTS = "/admin/councils/prompttemplate/"


def version(text: str, *, stage: str = "opinions", name: str = "brief") -> PromptTemplate:
    return PromptTemplate.objects.add_version(
        stage=stage, name=name, text=f"{text} {{question}} {{answers}}" if stage != "opinions" else text
    )


def two_versions() -> tuple[PromptTemplate, PromptTemplate]:
    return version("Be brief. {question}"), version("Be very brief. {question}")


def council_on(template: PromptTemplate | None, **fields: Any) -> CouncilConfiguration:
    return make_council(stage1_prompt_template=template, **fields)


def page_of(admin: Client, template: PromptTemplate) -> str:
    return admin.get(f"{PROMPTS}{template.pk}/change/").content.decode()


def use(browser: Client, template: PromptTemplate, *councils: CouncilConfiguration) -> int:
    form = {"council": [council.pk for council in councils], "confirmed": "yes"}
    return browser.post(f"{PROMPTS}{template.pk}/use/", form).status_code


def prompt_in(council: CouncilConfiguration) -> PromptTemplate | None:
    return CouncilConfiguration.objects.get(pk=council.pk).stage1_prompt_template


def test_adding_a_version_says_which_councils_use_an_earlier_one_and_offers_to_move_them(admin: Client) -> None:
    council = council_on(version("Be brief. {question}"), name="Pricing board")

    answer = admin.post(f"{PROMPTS}add/", {"stage": "opinions", "name": "brief", "text": "Be clear. {question}"}, follow=True)

    newest = PromptTemplate.objects.get(version=2)
    page = answer.content.decode()
    assert "An earlier version is still in use in Pricing board." in page
    assert f'formaction="{PROMPTS}{newest.pk}/use/"' in page
    assert f'name="council" value="{council.pk}" checked' in page


def test_a_first_version_leads_back_to_the_list_as_ever(admin: Client) -> None:
    answer = admin.post(f"{PROMPTS}add/", {"stage": "opinions", "name": "brief", "text": "Be clear. {question}"})

    assert answer["Location"] == PROMPTS


def test_the_button_moves_the_chosen_councils_and_no_other(admin: Client) -> None:
    old, new = two_versions()
    chosen, left, built_in = council_on(old, name="Chosen"), council_on(old), council_on(None)

    use(admin, new, chosen, built_in)

    assert [prompt_in(council) for council in (chosen, left, built_in)] == [new, old, None]
    assert LogEntry.objects.get().change_message == "Put into use in Chosen."


def test_an_earlier_version_can_be_taken_back_into_use(admin: Client) -> None:
    old, new = two_versions()
    council = council_on(new)

    use(admin, old, council)

    assert prompt_in(council) == old


def test_nothing_chosen_changes_nothing_and_says_so(admin: Client) -> None:
    old, new = two_versions()
    council_on(old)

    answer = admin.post(f"{PROMPTS}{new.pk}/use/", {"council": ["", "x", "9" * 30]}, follow=True)

    assert "Nothing changed" in answer.content.decode()
    assert not LogEntry.objects.exists()


def test_a_versions_page_names_the_councils_that_use_it(admin: Client) -> None:
    old, new = two_versions()
    council_on(new, name="Pricing board")

    assert "Pricing board" in page_of(admin, new)
    assert "no council" in page_of(admin, old)


@pytest.mark.parametrize("stage", ["review", "synthesis"])
def test_prompts_of_the_other_stages_move_too(admin: Client, stage: str) -> None:
    column = {"review": "stage2_prompt_template", "synthesis": "stage3_prompt_template"}[stage]
    old, new = version("Old. {question} {answers}", stage=stage), version("New. {question} {answers}", stage=stage)
    columns: dict[str, Any] = {column: old}
    council = make_council(**columns)

    use(admin, new, council)

    assert getattr(CouncilConfiguration.objects.get(pk=council.pk), column) == new


def test_putting_into_use_asks_first_and_shows_what_changes(admin: Client) -> None:
    old, new = two_versions()
    council = council_on(old, name="Pricing board")

    page = admin.post(f"{PROMPTS}{new.pk}/use/", {"council": [council.pk]}).content.decode()

    assert "Pricing board: version 1 → version 2" in page
    assert "<ins>very</ins>" in page.replace("<ins>very </ins>", "<ins>very</ins>").replace("<ins> very</ins>", "<ins>very</ins>")
    assert "Publish version 2" in page
    assert prompt_in(council) == old


def test_going_back_to_an_earlier_version_is_called_so_and_leaves_the_later_one(admin: Client) -> None:
    old, new = two_versions()
    council = council_on(new)

    assert "Roll back to version 1…" in page_of(admin, old)
    page = admin.post(f"{PROMPTS}{old.pk}/use/", {"council": [council.pk]}).content.decode()
    assert "Roll back to version 1" in page
    done = admin.post(f"{PROMPTS}{old.pk}/use/", {"council": [council.pk], "confirmed": "yes"}, follow=True).content.decode()

    assert prompt_in(council) == old
    assert "Version 2 is kept" in done
    assert PromptTemplate.objects.count() == 2


def test_any_two_texts_of_a_stage_are_compared(admin: Client) -> None:
    old, new = two_versions()
    other = version("Take your time. {question}", name="slow")

    page = admin.get(f"{PROMPTS}{new.pk}/compare/").content.decode()
    assert "brief, version 1" in page
    assert "Words that differ are marked" in page
    for query in (f"?from={old.pk}&to={other.pk}", f"?from=built-in&to={new.pk}", "?from=99999&to=x"):
        assert admin.get(f"{PROMPTS}{new.pk}/compare/{query}").status_code == 200
    assert "Both say the same." in admin.get(f"{PROMPTS}{new.pk}/compare/?from={new.pk}").content.decode()


def test_comparing_needs_the_right_to_view() -> None:
    old, _ = two_versions()

    assert sign_in(staff_with("view_prompttemplate")).get(f"{PROMPTS}{old.pk}/compare/").status_code == 200
    assert sign_in(staff_with("view_councilrun")).get(f"{PROMPTS}{old.pk}/compare/").status_code == 403


def test_a_version_leads_to_the_runs_that_asked_with_it(admin: Client) -> None:
    old, new = two_versions()
    run = make_run(council=council_on(old))
    RunPrompt.objects.create(run=run, template=old)

    page = page_of(admin, old)

    assert f"/admin/councils/councilrun/?prompts__id__exact={old.pk}" in page
    assert [row.pk for row in admin.get("/admin/councils/councilrun/", {"prompts__id__exact": old.pk}).context["cl"].result_list] == [
        run.pk
    ]
    assert not admin.get("/admin/councils/councilrun/", {"prompts__id__exact": new.pk}).context["cl"].result_list
    assert admin.post(f"{PROMPTS}{old.pk}/delete/", {"post": "yes"}).status_code == 403


def test_placeholders_are_listed_with_what_they_stand_for(admin: Client) -> None:
    page = admin.get(f"{PROMPTS}add/").content.decode()

    assert "<code>{critiques}</code>" in page
    assert "what the reviewers said of each answer" in page


def test_a_prompt_without_its_placeholder_says_what_is_missing(admin: Client) -> None:
    page = admin.post(f"{PROMPTS}add/", {"stage": "review", "name": "x", "text": "{question} {anwsers}"}).content.decode()

    assert "The review prompt lacks {answers}: the answers of the members" in page
    assert "{anwsers}, which is not known here" in page


def test_only_people_who_may_change_councils_move_them() -> None:
    old, new = two_versions()
    council = council_on(old, name="Pricing board")
    reader = sign_in(staff_with("view_prompttemplate", "add_prompttemplate"))

    assert use(reader, new, council) == 403
    assert prompt_in(council) == old
    assert "Pricing board" in page_of(reader, new)
    assert "formaction" not in page_of(reader, new)


def test_a_link_alone_moves_nothing(admin: Client) -> None:
    old, new = two_versions()
    council = council_on(old)

    assert admin.get(f"{PROMPTS}{new.pk}/use/", {"council": council.pk}).status_code == 405
    assert prompt_in(council) == old


def test_a_forged_button_of_another_site_is_refused(root: User) -> None:
    _, new = two_versions()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(root)

    assert use(browser, new) == 403


def test_the_same_text_again_is_no_new_version(admin: Client) -> None:
    version("Be brief. {question}")

    answer = admin.post(f"{PROMPTS}add/", {"stage": "opinions", "name": "brief", "text": "Be brief. {question}"})

    assert "word for word what version 1 says" in answer.content.decode()
    assert PromptTemplate.objects.count() == 1


def test_a_councils_form_offers_the_newest_prompt_first(admin: Client) -> None:
    old, new = two_versions()
    aside = version("Be exact. {question}", name="a")
    page = admin.get("/admin/councils/councilconfiguration/add/").content.decode()

    places = [page.index(str(prompt)) for prompt in (aside, new, old)]
    assert places == sorted(places)


def test_the_built_in_prompts_can_be_read_and_started_from(admin: Client) -> None:
    page = admin.get(f"{PROMPTS}add/").content.decode()

    for text in (DEFAULT_PROMPTS.opinion, DEFAULT_PROMPTS.review, DEFAULT_PROMPTS.synthesis):
        assert escape(text) in page
    start = admin.get(f"{PROMPTS}add/?stage=review")
    assert start.context["adminform"].form.initial == {"stage": "review", "text": DEFAULT_PROMPTS.review}


def test_a_new_prompt_is_chosen_in_a_councils_form(admin: Client) -> None:
    prompt = version("Be brief. {question}")

    admin.post("/admin/councils/councilconfiguration/add/", council_form(make_model(), stage1_prompt_template=prompt.pk))

    assert CouncilConfiguration.objects.get().stage1_prompt_template == prompt
