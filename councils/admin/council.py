"""Councils with their seats and chairman fallbacks. Saving one says what would keep it from deliberating."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import flatten
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from councils.admin import council_pages, exchange, trying
from councils.admin.base import READING, action, display, register
from councils.admin.council_form import (
    CouncilForm,
    FallbackInline,
    SeatInline,
    newest_prompts_first,
    problem_links,
    seats_of_models,
    use_model_choices,
)
from councils.admin.drafting import DraftingAdmin
from councils.admin.stale import newest_change
from councils.models import CouncilConfiguration
from councils.models.turns import take_turn
from councils.services.curating import Switched, clone_council, settle_default, switch_off, switch_on


class ShelfFilter(SimpleListFilter):
    """Archived councils are out of the way until somebody looks for them."""

    title = "shelf"
    parameter_name = "shelf"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("archived", "Archived"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "In use"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> QuerySet[CouncilConfiguration]:
        match self.value():
            case "archived":
                return queryset.exclude(archived_at=None)
            case "all":
                return queryset
        return queryset.filter(archived_at=None)


@register(CouncilConfiguration)
class CouncilAdmin(DraftingAdmin):
    form = CouncilForm
    inlines = (SeatInline, FallbackInline)
    list_display = ("name", "slug", "seats", "voting_system", "chairman_name", "is_default", "is_active")
    list_filter = (ShelfFilter, "is_active", "voting_system")
    list_select_related = ("chairman_model__provider",)
    search_fields = ("name", "slug", "description")
    prepopulated_fields = {"slug": ("name",)}
    actions = ("activate", "deactivate", "clone", "archive", "export")
    change_form_template = "admin/councils/councilconfiguration/change_form.html"
    list_before_template = "admin/councils/councilconfiguration/_list_tools.html"
    fieldsets = (
        ("What for", {"fields": (("name", "slug"), "description", ("is_active", "is_default"))}),
        (
            "How they vote",
            {
                "fields": (
                    ("enable_peer_review", "peer_review_anonymous", "skip_review_when_agreed"),
                    ("voting_system", "extra_round", "review_max_tokens"),
                )
            },
        ),
        (
            "Who writes the result",
            {"fields": (("chairman_model", "chairman_mode"), ("chairman_temperature", "chairman_max_tokens", "top_k"))},
        ),
        ("What they are told", {"fields": (("stage1_prompt_template", "stage2_prompt_template", "stage3_prompt_template"),)}),
        ("Limits", {"fields": (("min_models", "quorum", "use_cache"), ("soft_deadline_s", "stage_deadline_s", "run_deadline_s"))}),
    )

    @property
    def media(self) -> Media:
        scripts: list[Any] = [Script("admin/seats.js", type="module")]
        return super().media + Media(js=scripts)

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        ours = [
            path("<int:pk>/try/", guarded(partial(trying.attempt, self)), name="councils_councilconfiguration_try"),
            path("archive/", guarded(partial(council_pages.archive, self)), name="councils_councilconfiguration_archive"),
            path("restore/", guarded(partial(council_pages.restore, self)), name="councils_councilconfiguration_restore"),
            path("export/", guarded(exchange.export_all), name="councils_councilconfiguration_export"),
            path("import/", guarded(partial(exchange.bring_in, self)), name="councils_councilconfiguration_import"),
        ]
        return [*ours, *super().get_urls()]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """What is sent is checked when nobody else changes a council: a name that was just taken is a message at its field."""
        if request.method in READING:
            # Read before the council: a change in between is told, not overwritten.
            return super().changeform_view(request, object_id, form_url, {"seen": newest_change(object_id), **(extra_context or {})})
        with transaction.atomic():
            take_turn()
            return super().changeform_view(request, object_id, form_url, {"seen": newest_change(object_id), **(extra_context or {})})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        """The form below where else to look, and below all that is wrong in it."""
        formsets = [inline.formset for inline in context["inline_admin_formsets"]]
        form = context["adminform"].form
        context["problems"] = list(problem_links(form, formsets)) if form.is_bound else []
        context["beside"] = council_pages.beside(request, kwargs.get("obj"))
        short = council_pages.in_short(form.instance)
        # Open is what must be filled in or mended.
        context["sections"] = [
            (one, short.get(one.name, ""), one.name not in short or not form.errors.keys().isdisjoint(flatten(one.fields)))
            for one in context["adminform"]
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouncilConfiguration]:
        return super().get_queryset(request).annotate(seat_count=Count("members", filter=Q(members__answers=True)))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        seats = seats_of_models(request)
        return {**super().get_changeform_initial_data(request), **({"chairman_model": seats[0]["model"]} if seats else {})}

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """Chosen models take seats. Not when the form comes back: a seat that was left as it was filled in would count as empty."""
        found: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        is_new_form = request.method == "GET" and isinstance(inline, SeatInline) and obj.pk is None
        return {**found, "initial": seats_of_models(request)} if is_new_form else found

    def get_prepopulated_fields(self, request: HttpRequest, obj: CouncilConfiguration | None = None) -> Any:
        # Programs name a council by its slug: it stays when the name changes.
        return {} if obj else super().get_prepopulated_fields(request, obj)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description" and field is not None:
            field.widget.attrs["rows"] = 3
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        use_model_choices(db_field.name, kwargs)
        newest_prompts_first(db_field.name, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: CouncilConfiguration, form: Any, change: bool) -> None:
        """Save, and let the earlier default give way. The admin's view is one transaction."""
        super().save_model(request, obj, form, change)
        settle_default(council=obj, chosen=form.makes_default)

    def has_delete_permission(self, request: HttpRequest, obj: CouncilConfiguration | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_default)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        if queryset.filter(is_default=True).exists():
            self.message_user(request, "The default council was kept. Choose another one as default first.", messages.WARNING)
        super().delete_queryset(request, queryset.filter(is_default=False))

    @display(description="seats", ordering="seat_count")
    def seats(self, council: CouncilConfiguration) -> int:
        return int(getattr(council, "seat_count", 0))

    @display(description="chairman", ordering="chairman_model__name")
    def chairman_name(self, council: CouncilConfiguration) -> str:
        return str(council.chairman_model)

    @action(description="Switch on", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        """Only councils that can deliberate; the others say why not."""
        self._tell(request, "switched on", switch_on(queryset))

    @action(description="Switch off", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        self._tell(request, "switched off", switch_off(queryset))

    @action(description="Archive…", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> HttpResponse:
        """Ask first."""
        return redirect(council_pages.address("archive", queryset.values_list("pk", flat=True)))

    @action(description="Export as JSON", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> HttpResponse:
        return exchange.as_file(exchange.document_of(queryset), "councils")

    @action(description="Make a copy", permissions=["add"])
    def clone(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        copies = [clone_council(council=council).name for council in queryset]
        self.message_user(request, f"Made, and switched off for now: {', '.join(copies)}.")

    def _tell(self, request: HttpRequest, what: str, done: Switched) -> None:
        for name, why in done.refused:
            self.message_user(request, f"{name} stays as it is. {why}", messages.ERROR)
        if done.changed:
            self.message_user(
                request, f"{done.changed} council{'' if done.changed == 1 else 's'} {what}. This counts from the next run on."
            )
