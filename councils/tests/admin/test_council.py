"""Councils in the admin: what cannot deliberate is refused with reasons, one council is the default, staff need no restart."""

import pytest
from django.test import Client
from django.urls import reverse

from benchmarks.fake.server import Running
from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate, Provider, User
from councils.runner.host import EngineHost
from councils.services.asking import ask_council
from councils.services.configuration import apply_configuration, dump_configuration
from councils.tests.admin.forms import council_form, model_form, provider_form
from councils.tests.durability.support import ended
from councils.tests.factories import make_council, make_model

pytestmark = pytest.mark.django_db

ADD = "/admin/councils/councilconfiguration/add/"
LIST = "/admin/councils/councilconfiguration/"


def address_of(council: CouncilConfiguration) -> str:
    return reverse("admin:councils_councilconfiguration_change", args=[council.pk])


def act(admin: Client, action: str, *councils: CouncilConfiguration) -> str:
    return admin.post(LIST, {"action": action, "_selected_action": [c.pk for c in councils]}, follow=True).content.decode()


def default_slugs() -> list[str]:
    return list(CouncilConfiguration.objects.filter(is_default=True).values_list("slug", flat=True))


@pytest.mark.django_db(transaction=True)
def test_staff_set_up_a_council_and_use_it_at_once(admin: Client, root: User, fake_provider: Running, engine: EngineHost) -> None:
    host = provider_form(base_url=f"{fake_provider.url}/v1", allow_private_address=True)
    admin.post("/admin/councils/provider/add/", host)
    provider = Provider.objects.get(slug="acme")
    admin.post(
        "/admin/councils/modelinfo/add/",
        model_form(provider, name="fake:tokens=20,rate=5000", cost_per_1k_input_tokens="0.1", cost_per_1k_output_tokens="0.2"),
    )
    admin.post(ADD, council_form(ModelInfo.objects.get()))

    run, _ = ask_council(by=root, council=CouncilConfiguration.objects.get(slug="quick"), question="Which is best?")

    assert ended(run).status == RunStatus.SUCCEEDED, run.reason


def test_too_few_seats_are_refused_with_the_engines_sentence(admin: Client) -> None:
    answer = admin.post(ADD, council_form(make_model(), seats=2))

    assert "The council needs at least 3 answering seats and has 2." in answer.content.decode()
    assert not CouncilConfiguration.objects.exists()


def test_seats_on_models_that_are_switched_off_do_not_count(admin: Client) -> None:
    dead = make_model(is_active=False)

    answer = admin.post(ADD, council_form(make_model(), members={"2-model": dead.pk}))

    assert "has 2." in answer.content.decode()


def test_two_seats_of_one_name_are_refused(admin: Client) -> None:
    answer = admin.post(ADD, council_form(make_model(), members={"1-agent_id": "agent_1"}))

    assert answer.status_code == 200
    assert not CouncilConfiguration.objects.exists()


def seats_of(slug: str = "quick") -> list[tuple[str, int]]:
    return list(CouncilMember.objects.filter(council__slug=slug).values_list("agent_id", "position"))


def test_a_new_council_starts_with_rows_for_three_seats(admin: Client) -> None:
    seats = admin.get(ADD).context["inline_admin_formsets"][0].formset

    assert len(seats.forms) == 3
    assert len(admin.get(address_of(make_council(seats=4))).context["inline_admin_formsets"][0].formset.forms) == 4


def test_a_new_row_chooses_no_model_by_itself(admin: Client) -> None:
    make_model()
    seats = admin.get(ADD).context["inline_admin_formsets"][0].formset

    assert all(next(iter(form.fields["model"].widget.choices))[0] == "" for form in [*seats.forms, seats.empty_form])


def test_empty_agent_ids_take_the_next_free_numbers(admin: Client) -> None:
    empty = {"0-agent_id": "", "1-agent_id": "agent_1", "2-agent_id": "", "3-agent_id": "judge"}

    admin.post(ADD, council_form(make_model(), seats=4, members=empty))

    assert [agent_id for agent_id, _ in seats_of()] == ["agent_2", "agent_1", "agent_3", "judge"]


def test_places_follow_the_rows_when_nobody_numbers_them(admin: Client) -> None:
    admin.post(ADD, council_form(make_model(), members={f"{row}-position": "" for row in range(3)}))

    assert seats_of() == [("agent_1", 0), ("agent_2", 1), ("agent_3", 2)]


def test_seats_that_were_drawn_elsewhere_stay_there_and_a_new_one_comes_last(admin: Client) -> None:
    model = make_model()
    admin.post(ADD, council_form(model))
    council = CouncilConfiguration.objects.get()
    drawn = {"0-position": 2, "1-position": 0, "2-position": 1, "3-position": "", "3-agent_id": ""}

    admin.post(address_of(council), council_form(model, seats=4, stored=council, members=drawn))

    assert seats_of() == [("agent_2", 0), ("agent_3", 1), ("agent_1", 2), ("agent_4", 3)]


def test_places_have_no_gap_when_a_seat_is_removed(admin: Client) -> None:
    model = make_model()
    admin.post(ADD, council_form(model, seats=4))
    council = CouncilConfiguration.objects.get()

    admin.post(address_of(council), council_form(model, seats=4, stored=council, members={"0-DELETE": True}))

    assert seats_of() == [("agent_2", 0), ("agent_3", 1), ("agent_4", 2)]


def test_rows_that_nobody_filled_in_are_no_seats(admin: Client) -> None:
    form = council_form(make_model(), seats=4, members={"3-name": "", "3-agent_id": "", "3-model": "", "3-position": ""})

    admin.post(ADD, form)

    assert len(seats_of()) == 3


def test_a_seat_without_a_model_is_still_refused(admin: Client) -> None:
    answer = admin.post(ADD, council_form(make_model(), members={"1-agent_id": "", "1-model": ""}))

    assert "This field is required." in answer.content.decode()
    assert not CouncilConfiguration.objects.exists()


def test_a_council_made_in_the_admin_is_dumped_and_applied_without_a_change(admin: Client) -> None:
    empty: dict[str, object] = {f"{row}-{name}": "" for row in range(3) for name in ("agent_id", "position")}
    admin.post(ADD, council_form(make_model(), members=empty))

    assert apply_configuration(dump_configuration()).changes == ()


def test_an_unfinished_council_can_be_kept_switched_off(admin: Client) -> None:
    admin.post(ADD, council_form(make_model(), seats=1, is_active=False))

    assert not CouncilConfiguration.objects.get().is_active


def test_removing_a_seat_that_is_needed_is_refused(admin: Client) -> None:
    model = make_model()
    admin.post(ADD, council_form(model))
    council = CouncilConfiguration.objects.get()

    answer = admin.post(address_of(council), council_form(model, stored=council, members={"2-DELETE": True}))

    assert "has 2." in answer.content.decode()
    assert council.members.count() == 3


def test_a_change_reaches_the_stored_council(admin: Client) -> None:
    model = make_model()
    admin.post(ADD, council_form(model))
    council = CouncilConfiguration.objects.get()

    admin.post(address_of(council), council_form(model, stored=council, name="Slow", members={"1-persona": "Doubt."}))

    council.refresh_from_db()
    assert council.name == "Slow"
    assert CouncilMember.objects.get(agent_id="agent_2").persona == "Doubt."


def test_a_prompt_of_another_stage_is_refused(admin: Client) -> None:
    review = PromptTemplate.objects.add_version(stage="review", name="strict", text="{question} {answers}")

    answer = admin.post(ADD, council_form(make_model(), stage1_prompt_template=review.pk))

    assert answer.status_code == 200
    assert not CouncilConfiguration.objects.exists()


def test_the_first_council_is_the_default(admin: Client) -> None:
    admin.post(ADD, council_form(make_model()))

    assert default_slugs() == ["quick"]


def test_choosing_a_default_takes_it_from_the_other(admin: Client) -> None:
    make_council(slug="old", is_default=True)

    admin.post(ADD, council_form(make_model(), is_default=True))

    assert default_slugs() == ["quick"]


def test_another_council_does_not_become_the_default_by_itself(admin: Client) -> None:
    make_council(slug="old", is_default=True)

    admin.post(ADD, council_form(make_model()))

    assert default_slugs() == ["old"]


@pytest.mark.parametrize(("is_default", "is_active"), [(False, True), (True, False)], ids=["no default", "switched off"])
def test_the_default_is_not_given_up_without_another(admin: Client, is_default: bool, is_active: bool) -> None:
    model = make_model()
    admin.post(ADD, council_form(model))
    council = CouncilConfiguration.objects.get()

    answer = admin.post(address_of(council), council_form(model, stored=council, is_default=is_default, is_active=is_active))

    assert "Choose another one as default" in answer.content.decode()
    council.refresh_from_db()
    assert (council.is_default, council.is_active) == (True, True)


def test_saving_the_default_again_keeps_it(admin: Client) -> None:
    model = make_model()
    admin.post(ADD, council_form(model))
    council = CouncilConfiguration.objects.get()

    admin.post(address_of(council), council_form(model, stored=council, is_default=True, description="Better."))

    council.refresh_from_db()
    assert (council.is_default, council.description) == (True, "Better.")


def test_the_default_survives_switching_off_and_deleting(admin: Client) -> None:
    default, other = make_council(slug="default", is_default=True), make_council(slug="other")

    assert "stays as it is. The default council cannot be switched off." in act(admin, "deactivate", default, other)
    assert set(CouncilConfiguration.objects.active().values_list("slug", flat=True)) == {"default"}

    admin.post(LIST, {"action": "delete_selected", "_selected_action": [default.pk, other.pk], "post": "yes"})
    assert default_slugs() == ["default"]


def test_only_councils_that_can_deliberate_are_switched_on(admin: Client) -> None:
    ready, short = make_council(is_active=False), make_council(name="Short", seats=2, min_models=3, is_active=False)

    page = act(admin, "activate", ready, short)

    assert "Short stays as it is. The council needs at least 3" in page
    assert list(CouncilConfiguration.objects.active()) == [ready]


def test_a_copy_has_the_same_seats_and_is_switched_off(admin: Client) -> None:
    council = make_council(slug="pricing", is_default=True)

    act(admin, "clone", council)
    act(admin, "clone", council)

    copies = CouncilConfiguration.objects.exclude(pk=council.pk)
    assert {copy.slug for copy in copies} == {"pricing-copy", "pricing-copy-2"}
    for copy in copies:
        assert (copy.is_active, copy.is_default, copy.members.count()) == (False, False, 4)
    assert council.members.count() == 4


def test_faults_are_said_beside_the_field_and_summed_up_with_links(admin: Client) -> None:
    unpriced = make_model("dear", cost_per_1k_input_tokens=None)
    form = council_form(make_model(), quorum=5, members={"1-model": unpriced.pk})

    page = admin.post(ADD, form)

    text = page.content.decode()
    links = {where: sentence for where, _label, sentence in page.context["problems"]}
    assert "from 1 to the number of answering seats, 3" in links["#id_quorum"]
    assert "The price of dear is not known." in links["#id_members-1-model"]
    assert "from 1 to the number of answering seats" in str(page.context["adminform"].form.errors["quorum"])
    assert '<a class="office-link" href="#id_quorum">' in text
    assert 'id="id_quorum"' in text
    assert not CouncilConfiguration.objects.exists()


def test_a_chairman_without_a_price_is_blamed_where_it_was_chosen(admin: Client) -> None:
    form = council_form(make_model(), chairman_model=make_model("dear", cost_per_1k_output_tokens=None).pk)

    problems = admin.post(ADD, form).context["problems"]

    assert ("#id_chairman_model", "The price of dear is not known. Staff must enter it, or mark the model as free.") in [
        (where, sentence) for where, _label, sentence in problems
    ]


def test_two_seats_that_cannot_see_enough_answers_are_explained(admin: Client) -> None:
    page = admin.post(ADD, council_form(make_model(), seats=2, min_models=2))

    assert "A reviewer must see at least 2 answers by others" in page.content.decode()
    assert "#id_enable_peer_review" in [where for where, _label, _sentence in page.context["problems"]]


def test_a_row_with_a_number_and_nothing_else_is_no_seat(admin: Client) -> None:
    admin.post(ADD, council_form(make_model(), seats=4, members={"3-name": "", "3-agent_id": "", "3-model": "", "3-position": 4}))

    assert len(seats_of()) == 3


def test_places_count_from_one_and_may_be_typed(admin: Client) -> None:
    model = make_model()
    admin.post(ADD, council_form(model))
    council = CouncilConfiguration.objects.get()
    seats = admin.get(address_of(council)).context["inline_admin_formsets"][0].formset

    assert [form.initial["position"] for form in seats.forms] == [1, 2, 3]
    admin.post(address_of(council), council_form(model, stored=council, members={"0-position": 3, "1-position": 1, "2-position": 2}))
    assert [agent_id for agent_id, _ in seats_of()] == ["agent_2", "agent_3", "agent_1"]


def test_the_form_follows_the_order_in_which_people_think(admin: Client) -> None:
    page = admin.get(ADD).content.decode()

    places = [page.index(f'id="{name}"') for name in ("id_name", "id_members-0-model", "id_voting_system", "id_chairman_model")]
    assert places == sorted(places)
    assert page.count('name="members-TOTAL_FORMS"') == page.count('name="chairman_fallbacks-TOTAL_FORMS"') == 1
