"""The form of a council: seats in their order, and what would keep it from deliberating said beside the field."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.forms import BaseModelForm, ModelForm
from django.http import HttpRequest

from councils.admin.apart import ApartFormSet
from councils.admin.base import RowInline, SectionInline
from councils.admin.pages import numbers_from
from councils.admin.stale import changed_since
from councils.engine.validation import Fault
from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate
from councils.services.curating import default_council_faults
from councils.services.standing import draft_faults

NEW_SEATS = 3
MODEL_FIELDS = frozenset({"model", "fallback_model", "chairman_model"})
MEND = "Mend this, or save the council switched off."
PLACED: Mapping[str, str] = {
    "chairman": "chairman_model",
    "prompts.opinions": "stage1_prompt_template",
    "prompts.review": "stage2_prompt_template",
    "prompts.synthesis": "stage3_prompt_template",
}
"""Where the form says what a fault is about; a field of the council of the same name otherwise."""
COUNCIL_FIELDS = frozenset(field.name for field in CouncilConfiguration._meta.get_fields())
MOST_SEATS = 12
"""So many seats are filled in from chosen models at most."""
LABELS: Mapping[str, str] = {
    "is_active": "Can be asked",
    "is_default": "Default council",
    "enable_peer_review": "Review",
    "peer_review_anonymous": "Anonymous",
    "skip_review_when_agreed": "Skip it when all agree",
    "review_max_tokens": "Tokens of a review",
    "chairman_model": "Chairman",
    "chairman_mode": "How the chairman works",
    "chairman_temperature": "Temperature",
    "chairman_max_tokens": "Tokens of the synthesis",
    "stage1_prompt_template": "Prompt for opinions",
    "stage2_prompt_template": "Prompt for the review",
    "stage3_prompt_template": "Prompt for the synthesis",
    "min_models": "Seats needed to start",
    "soft_deadline_s": "Soft deadline (s)",
    "stage_deadline_s": "Deadline of a stage (s)",
    "run_deadline_s": "Deadline of a run (s)",
    "use_cache": "Answer from the cache",
}
HELPS: Mapping[str, str] = {
    "slug": "Programs ask the council by this name.",
    "enable_peer_review": "Each reviewer ranks the others' opinions, never its own.",
    "peer_review_anonymous": "Reviewers do not see who wrote what.",
    "voting_system": "How ballots become one order. The other counts are shown beside it where they disagree.",
    "review_max_tokens": "Most tokens of one ballot with its reasons. Empty: the model's own limit.",
    "chairman_model": "Writes the result from the opinions and the votes.",
    "chairman_temperature": "0 is steady, 2 is wild. Empty: the model's own.",
    "chairman_max_tokens": "At most. Empty: the model's own limit.",
    "top_k": "So many of the best opinions are read in full.",
    "min_models": "With fewer seats in use, nobody can ask this council.",
    "stage_deadline_s": "Who has not answered by then is recorded as late.",
    "run_deadline_s": "After this, the run ends with what there is.",
}


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


class SharedChoicesFormSet(ApartFormSet):
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


class SeatForm(ModelForm[CouncilMember]):
    """A seat. A new row that has a number and nothing else is one that nobody filled in."""

    class Meta:
        labels = {
            "max_tokens": "Tokens at most",
            "fallback_model": "Substitute model",
            "answers": "Gives an opinion",
            "reviews": "Reviews the others",
        }
        help_texts = {
            "name": "",
            "answers": "",
            "reviews": "",
            "fallback_model": "Answers when the model cannot.",
            "persona": "",
        }

    @property
    def changed_data(self) -> list[str]:
        changed: list[str] = super().changed_data
        return [] if not self.instance.pk and changed == ["position"] else changed


class SeatFormSet(SharedChoicesFormSet):
    """Seats together with their council: the engine says whether they can deliberate.

    What keeps them from it and concerns a field of the council is in ``council_faults``, by field, since a formset cannot say it there.
    """

    apart, called, may_swap = "agent_id", "seat", True
    council_faults: Mapping[str, Sequence[str]] = {}

    def add_fields(self, form: BaseModelForm[Any], index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["agent_id"].required = form.fields["position"].required = False
        form.fields["agent_id"].help_text = "Its name for programs. Empty: the next free one."
        if form.instance.pk is not None:
            # People count from one.
            form.initial["position"] = form.instance.position + 1
        elif not self.initial_extra:
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
        self._place(draft_faults(council, self._seats(), fallbacks))

    def _place(self, faults: Sequence[Fault]) -> None:
        """Say each fault where it can be mended; those of no field, and what to do, above the seats."""
        elsewhere: dict[str, list[str]] = {}
        here: list[str] = []
        for fault in faults:
            kind, _, pk = fault.about.partition(".")
            about = PLACED.get(fault.about, fault.about)
            if kind == "model" and str(self.instance.chairman_model_id) == pk:
                about = "chairman_model"
            is_said = kind == "model" and self._blame_seats(pk, fault.sentence)
            if about in COUNCIL_FIELDS:
                elsewhere.setdefault(about, []).append(fault.sentence)
            elif not is_said:
                here.append(fault.sentence)
        self.council_faults = elsewhere
        if faults:
            raise ValidationError([*here, MEND])

    def _blame_seats(self, model: str, sentence: str) -> bool:
        """Say what a model lacks beside every seat that has it; whether there is one."""
        fields = [(form, name) for form in self._kept() for name in ("model", "fallback_model")]
        found = [(form, name) for form, name in fields if str(getattr(form.instance, f"{name}_id")) == model]
        for form, name in found:
            form.add_error(name, sentence)
        return bool(found)

    def save(self, commit: bool = True) -> Any:
        if commit:
            self._move_aside()
        saved = super().save(commit)
        if commit:
            # Seats that nobody edited may have moved all the same.
            CouncilMember.objects.bulk_update(self._seats(), ["position"])
        return saved

    def _move_aside(self) -> None:
        """Free the ids that stored seats give up, so that another seat can take them whichever is stored first."""
        moving = [form.instance.pk for form in self.initial_forms if self._gives_up(form)]
        # An id that nobody can type.
        CouncilMember.objects.filter(pk__in=moving).update(agent_id=Concat(Value("="), Cast("pk", CharField())))

    def _kept(self) -> list[Any]:
        return [form for form in self.forms if (form.instance.pk or form.has_changed()) and not form.cleaned_data.get("DELETE")]

    def _seats(self) -> list[CouncilMember]:
        return [form.instance for form in self._kept()]

    def _number(self) -> None:
        """Give an agent id to each seat without one."""
        without = [form for form in self._kept() if form.cleaned_data.get("agent_id") == ""]
        stored = self.stored_values().values() if self.instance.pk else ()
        taken = {*stored, *(form.cleaned_data.get("agent_id") for form in self.forms)}
        free = (name for number in count(1) if (name := f"agent_{number}") not in taken)
        for form, agent_id in zip(without, free, strict=False):
            form.cleaned_data["agent_id"] = form.instance.agent_id = agent_id

    def _line_up(self) -> None:
        """Number the places: first the seats that have one, in the order of their numbers, then the new ones, in the order of the form."""
        forms = sorted(self._kept(), key=lambda form: _sort_key(form.cleaned_data.get("position")))
        for place, form in enumerate(forms):
            form.instance.position = place


def _sort_key(position: int | None) -> tuple[bool, int]:
    return position is None, position or 0


def seats_of_models(request: HttpRequest) -> list[dict[str, Any]]:
    """What to fill in where the address names models: a seat for each, and as many as a council needs."""
    chosen = ModelInfo.objects.in_bulk(numbers_from(request.GET.getlist("model"))[:MOST_SEATS])
    models = list(chosen.values())
    places = max(NEW_SEATS, len(models)) if models else 0
    return [{"name": f"Seat {n + 1}", "model": models[n % len(models)].pk, "position": n + 1} for n in range(places)]


class SeatInline(SectionInline[CouncilMember, CouncilConfiguration]):
    model = CouncilMember
    verbose_name_plural = "Who sits"
    form = SeatForm
    formset = SeatFormSet
    # Seats are drawn to their place by hand, moved by buttons, or numbered.
    ordering_field = "position"
    fieldsets = (
        (None, {"fields": (("name", "model", "temperature", "max_tokens", "weight"), "persona")}),
        # Each in a line of its own, so that a fault in one of them unfolds them all.
        (
            "Substitute, duties, place",
            {"fields": ("fallback_model", "agent_id", "answers", "reviews", "position"), "classes": ("collapse", "seat-more")},
        ),
    )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        use_model_choices(db_field.name, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "persona" and field is not None:
            # Several seats should fit on a screen.
            field.widget.attrs |= {"rows": 2, "placeholder": "Who this seat is, and how it should think: its system prompt."}
        if db_field.name == "position" and field is not None:
            # With scripts there are buttons and a handle to draw by; the number works without them.
            field.label, field.help_text = "Place", "Seats stand in this order."
        return field

    def get_extra(self, request: HttpRequest, obj: CouncilConfiguration | None = None, **kwargs: Any) -> int:
        """A new council starts with as many seats as a council needs."""
        return 0 if obj else max(NEW_SEATS, len(seats_of_models(request)))


class FallbackFormSet(SharedChoicesFormSet):
    apart, called = "model", "substitute"


class FallbackInline(RowInline[ChairmanFallback, CouncilConfiguration]):
    model = ChairmanFallback
    formset = FallbackFormSet
    fields = ("position", "model")
    verbose_name = "substitute"
    verbose_name_plural = "When the chairman cannot"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        use_model_choices(db_field.name, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class CouncilForm(ModelForm[CouncilConfiguration]):
    """There is always one default council, and it can be asked.

    ``makes_default`` is the choice. It stays out of the row until the earlier default gives way, so that the two are never both it.
    """

    makes_default = False

    class Meta:
        labels = LABELS
        help_texts = HELPS

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        # A form that leaves one of the two out leaves it as it is.
        values = {name: bool(cleaned.get(name, getattr(self.instance, name))) for name in ("is_default", "is_active")}
        for field, fault in default_council_faults(self.instance, **values).items():
            self.add_error(field if field in self.fields else None, fault)
        if said := changed_since(self.data, self.instance):
            self.add_error(None, said)
        self.makes_default = bool(cleaned.pop("is_default", False))
        return cleaned


def problem_links(form: CouncilForm, formsets: list[Any]) -> Iterator[tuple[str, str, str]]:
    """All that is wrong in the form: where (an address within the page), in which field, what."""
    for formset in formsets:
        for name, sentences in getattr(formset, "council_faults", {}).items():
            for sentence in sentences:
                if not form.has_error(name) or sentence not in form.errors[name]:
                    form.add_error(name, sentence)
    yield from _errors_of(form, "")
    for formset in formsets:
        title = str(formset.model._meta.verbose_name).capitalize()
        yield from ((f"#{formset.prefix}-group", title, sentence) for sentence in formset.non_form_errors() if sentence != MEND)
        for number, one in enumerate(formset.forms, start=1):
            yield from _errors_of(one, f"{title} {number}: ")


def _errors_of(form: Any, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, sentences in form.errors.items():
        label = "" if name == "__all__" else str(form.fields[name].label or name)
        where = f"#{form[name].id_for_label}" if label else "#content-main"
        yield from ((where, f"{prefix}{label}", sentence) for sentence in sentences)
