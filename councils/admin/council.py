"""Councils with their seats and chairman fallbacks. Saving one says what would keep it from deliberating."""

from itertools import count
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.forms import BaseInlineFormSet, BaseModelForm, ModelForm
from django.http import HttpRequest

from councils.admin.base import ProductAdmin, RowInline, SectionInline, action, display, register
from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate
from councils.services.curating import clone_council, council_problems, draft_problems, make_default

NEW_SEATS = 3
MODEL_FIELDS = frozenset({"model", "fallback_model", "chairman_model"})


class ModelChoiceField(forms.ModelChoiceField[ModelInfo]):
    """Names the provider, and says when a model is switched off."""

    def label_from_instance(self, obj: Any) -> str:
        usable = obj.is_active and obj.provider.is_active
        return str(obj) if usable else f"{obj} (switched off)"


def newest_prompts_first(field: str, options: dict[str, Any]) -> None:
    if field.endswith("_prompt_template"):
        options["queryset"] = PromptTemplate.objects.order_by("-pk")


def use_model_choices(field: str, options: dict[str, Any]) -> None:
    if field in MODEL_FIELDS:
        options["queryset"] = ModelInfo.objects.select_related("provider")
        options["form_class"] = ModelChoiceField


class SharedChoicesFormSet(BaseInlineFormSet[Any, Any, Any]):
    """Reads the choice of models once for all of its forms, not once for each."""

    def add_fields(self, form: BaseModelForm[Any], index: int | None) -> None:
        super().add_fields(form, index)
        for name in MODEL_FIELDS & form.fields.keys():
            form.fields[name].widget.choices = self._choices(form.fields[name], is_new=form.instance.pk is None)

    def _choices(self, field: Any, *, is_new: bool) -> list[tuple[Any, str]]:
        if not hasattr(self, "_models"):
            self._models = [(model.pk, field.label_from_instance(model)) for model in field.queryset]
        # Without an empty choice a new row would take the first model by itself, and could not be left empty.
        return self._models if field.required and not is_new else [("", field.empty_label or ""), *self._models]


class SeatFormSet(SharedChoicesFormSet):
    """Seats together with their council: the engine says whether they can deliberate."""

    def add_fields(self, form: BaseModelForm[Any], index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["agent_id"].required = form.fields["position"].required = False
        form.fields["agent_id"].help_text = "Programs name the seat by it. Empty: the next free one, for instance agent_1."
        if form.instance.pk is None:
            form.initial["position"] = None

    def clean(self) -> None:
        self._number()
        super().clean()
        if any(self.errors):
            return
        self._line_up()
        council: CouncilConfiguration = self.instance
        if not council.is_active or not council.chairman_model_id:
            return
        fallbacks = [fallback.model for fallback in council.chairman_fallbacks.select_related("model__provider")] if council.pk else []
        problems = draft_problems(council, self._seats(), fallbacks)
        if problems:
            raise ValidationError([*problems, "Mend this, or save the council switched off."])

    def save(self, commit: bool = True) -> Any:
        saved = super().save(commit)
        if commit:
            # Seats that nobody edited may have moved all the same.
            CouncilMember.objects.bulk_update(self._seats(), ["position"])
        return saved

    def _kept(self) -> list[Any]:
        return [form for form in self.forms if (form.instance.pk or form.has_changed()) and not form.cleaned_data.get("DELETE")]

    def _seats(self) -> list[CouncilMember]:
        return [form.instance for form in self._kept()]

    def _number(self) -> None:
        """Give an agent id to each seat without one."""
        without = [form for form in self._kept() if form.cleaned_data.get("agent_id") == ""]
        taken = {form.cleaned_data.get("agent_id") for form in self.forms}
        free = (name for number in count(1) if (name := f"agent_{number}") not in taken)
        for form, agent_id in zip(without, free, strict=False):
            form.cleaned_data["agent_id"] = form.instance.agent_id = agent_id

    def _line_up(self) -> None:
        """Number the places: first the seats that have one, in the order of their numbers, then the new ones, in the order of the form."""
        forms = sorted(self._kept(), key=lambda form: _place(form.cleaned_data.get("position")))
        for place, form in enumerate(forms):
            form.instance.position = place


def _place(position: int | None) -> tuple[bool, int]:
    return position is None, position or 0


class SeatInline(SectionInline[CouncilMember, CouncilConfiguration]):
    model = CouncilMember
    formset = SeatFormSet
    # Seats are drawn to their place by hand; the number itself tells people nothing.
    ordering_field = "position"
    hide_ordering_field = True
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "agent_id"),
                    ("model", "fallback_model"),
                    "persona",
                    ("temperature", "max_tokens", "weight"),
                    ("answers", "reviews"),
                    "position",
                )
            },
        ),
    )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        use_model_choices(db_field.name, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "persona" and field is not None:
            # Several seats should fit on a screen.
            field.widget.attrs["rows"] = 3
        if db_field.name == "position" and field is not None:
            field.widget = forms.HiddenInput()
        return field

    def get_extra(self, request: HttpRequest, obj: CouncilConfiguration | None = None, **kwargs: Any) -> int:
        """A new council starts with as many seats as a council needs."""
        return 0 if obj else NEW_SEATS


class FallbackInline(RowInline[ChairmanFallback, CouncilConfiguration]):
    model = ChairmanFallback
    formset = SharedChoicesFormSet
    fields = ("position", "model")
    verbose_name_plural = "Who writes the result when the chairman cannot"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        use_model_choices(db_field.name, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class CouncilForm(ModelForm[CouncilConfiguration]):
    """There is always one default council, and it can be asked.

    ``makes_default`` is the choice. It stays out of the row until the earlier default gives way, so that the two are never both it.
    """

    makes_default = False

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("is_default") and cleaned.get("is_active") is False:
            self.add_error("is_active", "The default council cannot be switched off. Choose another one as default first.")
        if self._was_default() and cleaned.get("is_default") is False:
            self.add_error("is_default", "There must be a default council. Choose another one as default: this one then stops being it.")
        self.makes_default = bool(cleaned.pop("is_default", False))
        return cleaned

    def _was_default(self) -> bool:
        return CouncilConfiguration.objects.filter(pk=self.instance.pk, is_default=True).exists()


@register(CouncilConfiguration)
class CouncilAdmin(ProductAdmin[CouncilConfiguration]):
    form = CouncilForm
    inlines = (SeatInline, FallbackInline)
    list_display = ("name", "slug", "seats", "voting_system", "chairman_name", "is_default", "is_active")
    list_filter = ("is_active", "voting_system")
    list_select_related = ("chairman_model__provider",)
    search_fields = ("name", "slug", "description")
    prepopulated_fields = {"slug": ("name",)}
    actions = ("activate", "deactivate", "clone")
    fieldsets = (
        (None, {"fields": (("name", "slug"), "description", ("is_active", "is_default"))}),
        (
            "Deliberation",
            {
                "fields": (
                    ("enable_peer_review", "peer_review_anonymous"),
                    "voting_system",
                    ("extra_round", "skip_review_when_agreed"),
                    "review_max_tokens",
                )
            },
        ),
        ("Chairman", {"fields": ("chairman_model", "chairman_mode", ("chairman_temperature", "chairman_max_tokens", "top_k"))}),
        ("Limits", {"fields": (("min_models", "quorum"), ("soft_deadline_s", "stage_deadline_s", "run_deadline_s"))}),
        ("Prompts", {"fields": ("stage1_prompt_template", "stage2_prompt_template", "stage3_prompt_template")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouncilConfiguration]:
        return super().get_queryset(request).annotate(seat_count=Count("members", filter=Q(members__answers=True)))

    def get_prepopulated_fields(self, request: HttpRequest, obj: CouncilConfiguration | None = None) -> Any:
        # Programs name a council by its slug: it stays when the name changes.
        return {} if obj else super().get_prepopulated_fields(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        use_model_choices(db_field.name, kwargs)
        newest_prompts_first(db_field.name, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: CouncilConfiguration, form: Any, change: bool) -> None:
        """Save, and let the earlier default give way. The admin's view is one transaction."""
        super().save_model(request, obj, form, change)
        is_first = obj.is_active and not CouncilConfiguration.objects.filter(is_default=True).exists()
        if (form.makes_default or is_first) and not obj.is_default:
            make_default(council=obj)

    def has_delete_permission(self, request: HttpRequest, obj: CouncilConfiguration | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_default)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        if queryset.filter(is_default=True).exists():
            self.message_user(request, "The default council was kept. Choose another one as default first.", messages.WARNING)
        queryset.filter(is_default=False).delete()

    @display(description="seats", ordering="seat_count")
    def seats(self, council: CouncilConfiguration) -> int:
        return int(getattr(council, "seat_count", 0))

    @display(description="chairman", ordering="chairman_model__name")
    def chairman_name(self, council: CouncilConfiguration) -> str:
        return str(council.chairman_model)

    @action(description="Switch on", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        """Only councils that can deliberate; the others say why not."""
        ready: list[int] = []
        for council in CouncilConfiguration.objects.filter(pk__in=queryset.values("pk")).with_details():
            problems = council_problems(council)
            if problems:
                self.message_user(request, f"{council.name} stays as it is. {' '.join(problems)}", messages.ERROR)
            else:
                ready.append(council.pk)
        self._tell(request, "switched on", CouncilConfiguration.objects.filter(pk__in=ready).update(is_active=True, archived_at=None))

    @action(description="Switch off", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        if queryset.filter(is_default=True).exists():
            self.message_user(request, "The default council stays on. Choose another one as default first.", messages.WARNING)
        chosen = CouncilConfiguration.objects.filter(pk__in=queryset.values("pk"), is_default=False)
        self._tell(request, "switched off", chosen.update(is_active=False))

    @action(description="Make a copy", permissions=["add"])
    def clone(self, request: HttpRequest, queryset: QuerySet[CouncilConfiguration]) -> None:
        copies = [clone_council(council=council).name for council in queryset]
        self.message_user(request, f"Made, and switched off for now: {', '.join(copies)}.")

    def _tell(self, request: HttpRequest, what: str, number: int) -> None:
        if number:
            self.message_user(request, f"{number} council{'' if number == 1 else 's'} {what}. This counts from the next run on.")
