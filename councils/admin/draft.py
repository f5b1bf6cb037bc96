"""Drafts of councils: what they would change, whether they would work, and publishing them."""

import json
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms import ModelForm, Textarea
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from councils.admin.base import READING, ProductAdmin, display, register, signed_in
from councils.admin.differences import Difference, difference
from councils.admin.pages import number_from, page
from councils.admin.show import LINK, link_to
from councils.admin.trial import MAY_TRY
from councils.models import CouncilDraft
from councils.models.options import OptionsFormField
from councils.models.turns import take_turn
from councils.services.configuration import ConfigurationRejected, check_storable
from councils.services.drafting import (
    AlreadyPublished,
    ChangedSince,
    Proposal,
    digest_of,
    document_of,
    name_of_before,
    propose,
    publish_draft,
)

MAY_PUBLISH = "councils.change_councilconfiguration"


class OpenFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Not published"), ("published", "Published")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CouncilDraft]) -> QuerySet[CouncilDraft]:
        match self.value():
            case "open":
                return queryset.filter(published_at=None)
            case "published":
                return queryset.exclude(published_at=None)
        return queryset


class DraftForm(ModelForm[CouncilDraft]):
    """A draft that could be published: the rules are those of configuration as code, all faults at once."""

    def clean_document(self) -> Any:
        document = self.cleaned_data["document"]
        if not isinstance(document, dict):
            raise ValidationError("Write a JSON object: one council as a configuration file has it.")
        try:
            check_storable(document)
            propose(self.instance.council, document)
        except ConfigurationRejected as error:
            raise ValidationError([problem.removeprefix("councils[0].") for problem in error.problems]) from error
        return document


def changes_of(draft: CouncilDraft) -> Difference:
    """How the document of a draft differs from how its council sits now."""
    return _difference_to(document_of(draft.council), draft)


def _difference_to(before: dict[str, Any], draft: CouncilDraft) -> Difference:
    # What a document leaves out stays as it is.
    return difference(_lines(before), _lines(before | draft.document)).short()


def _would_change(draft: CouncilDraft) -> dict[str, Any]:
    problems = proposal_of(draft)[1]
    return {"difference": changes_of(draft), "problems": problems, "old_title": "published", "new_title": "this draft"}


def _was_changed(draft: CouncilDraft) -> dict[str, Any]:
    """What the page of a published draft shows: how its council sat before, as publishing kept it. Nobody may have edited that since."""
    kept = draft.council.drafts.filter(pk__gt=draft.pk, name=name_of_before(draft), created_at__lte=draft.published_at)
    before = kept.filter(Q(updated_at__lte=draft.published_at) | Q(published_at__isnull=False)).order_by("-pk").first()
    titles = {"old_title": "before", "new_title": "as it was published"}
    return {"is_past": True, "difference": _difference_to(before.document, draft) if before else None, **titles}


def _lines(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True)


def proposal_of(draft: CouncilDraft) -> tuple[Proposal | None, tuple[str, ...]]:
    """What the draft would make of its council, or why it does not fit any more."""
    try:
        proposal = propose(draft.council, draft.document)
    except ConfigurationRejected as error:
        return None, error.problems
    return proposal, proposal.problems


@register(CouncilDraft)
class CouncilDraftAdmin(ProductAdmin[CouncilDraft]):
    form = DraftForm
    list_display = ("name", "council_link", "state", "by", "updated_at")
    list_filter = (OpenFilter, "council")
    list_select_related = ("council", "by")
    search_fields = ("name", "council__name")
    readonly_fields = ("council_link", "state", "by", "would_change", "next_steps", "trials")
    fieldsets = (
        (None, {"fields": (("name", "council_link"), ("state", "by"), "next_steps")}),
        ("What it changes", {"fields": ("would_change", "trials")}),
        ("As JSON", {"fields": ("document",), "description": "The same as in a configuration file. The council's own form is easier."}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Drafts are made in the form of their council."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: CouncilDraft | None = None) -> bool:
        """A published one is a record."""
        return super().has_change_permission(request, obj) and (obj is None or obj.is_open)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """What is sent is saved when nobody publishes: a draft that was published while this waited stays as it was published."""
        if request.method in READING:
            return super().changeform_view(request, object_id, form_url, extra_context)
        with transaction.atomic():
            take_turn()
            pk = number_from(object_id)
            if CouncilDraft.objects.filter(pk=pk).exclude(published_at=None).exists():
                messages.warning(request, str(AlreadyPublished.__doc__))
                return redirect("admin:councils_councildraft_change", pk)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: CouncilDraft, form: Any, change: bool) -> None:
        """Only what people change here."""
        obj.save(update_fields=["name", "document", "updated_at"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouncilDraft]:
        return super().get_queryset(request).select_related("council", "by")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "document":
            kwargs["widget"] = Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "office-field office-code"})
            kwargs["encoder"] = IndentedEncoder
            kwargs["form_class"] = OptionsFormField
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        publish = path("<int:pk>/publish/", self.admin_site.admin_view(partial(publish_page, self)), name="councils_councildraft_publish")
        return [publish, *super().get_urls()]

    @display(description="council", ordering="council__name")
    def council_link(self, draft: CouncilDraft) -> SafeString | str:
        return link_to(draft.council)

    @display(description="state", ordering="published_at", label={"published": "success", "not published": "info"})
    def state(self, draft: CouncilDraft) -> str:
        return "not published" if draft.is_open else "published"

    @display(description="differences")
    def would_change(self, draft: CouncilDraft) -> str:
        shown: Any = draft
        # The page asks for it several times while it is drawn.
        if not hasattr(shown, "drawn_changes"):
            context = _would_change(draft) if draft.is_open else _was_changed(draft)
            shown.drawn_changes = render_to_string("admin/councils/councildraft/_changes.html", context)
        drawn: str = shown.drawn_changes
        return drawn

    @display(description="next")
    def next_steps(self, draft: CouncilDraft) -> SafeString | str:
        if not draft.is_open:
            return "It was published. Make a new draft from the council's form."
        form = reverse("admin:councils_councilconfiguration_change", args=[draft.council_id])
        links = [
            (f"{form}?draft={draft.pk}", "Edit in the form"),
            (f"{reverse('admin:councils_councilconfiguration_try', args=[draft.council_id])}?draft={draft.pk}", "Try it…"),
            (reverse("admin:councils_councildraft_publish", args=[draft.pk]), "Publish…"),
        ]
        return format_html_join(" · ", f'<a class="{LINK} office-link" href="{{}}">{{}}</a>', links)

    @display(description="trials")
    def trials(self, draft: CouncilDraft) -> SafeString | str:
        rows = draft.trials.order_by("-pk")[:10]
        lines = [(reverse("admin:councils_trial_change", args=[row.pk]), f"{row.created_at:%Y-%m-%d %H:%M} UTC") for row in rows]
        return format_html_join(", ", f'<a class="{LINK} office-link" href="{{}}">{{}}</a>', lines) or "not tried yet"


class IndentedEncoder(json.JSONEncoder):
    """One line for each value, so that people can read it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "indent": 2, "ensure_ascii": False})


def publish_page(admin: ModelAdmin[CouncilDraft], request: HttpRequest, pk: int) -> HttpResponse:
    """Show what changes for everybody, then change it. The way back is a draft of how the council sat before."""
    if not (request.user.has_perm(MAY_PUBLISH) and admin.has_view_permission(request)):
        raise PermissionDenied
    draft = get_object_or_404(CouncilDraft.objects.select_related("council"), pk=pk)
    here = redirect("admin:councils_councildraft_change", draft.pk)
    if not draft.is_open:
        messages.warning(request, str(AlreadyPublished.__doc__))
        return here
    if request.method == "POST":
        return _publish(admin, request, draft)
    # Taken first: what changes while the page is made was not shown for sure.
    shown = digest_of(draft)
    proposal, problems = proposal_of(draft)
    council = draft.council
    context = {
        "draft": draft,
        "council": council,
        "problems": problems,
        "may_publish": proposal is not None and not (problems and council.can_be_asked),
        "changes": proposal.changes if proposal else (),
        "difference": changes_of(draft),
        "shown": shown,
        "tried": draft.trials.exists(),
        "may_try": request.user.has_perm(MAY_TRY),
    }
    return page(admin, request, "councildraft/publish.html", f"Publish “{draft.name}” of {council.name}", **context)


def _publish(admin: ModelAdmin[CouncilDraft], request: HttpRequest, draft: CouncilDraft) -> HttpResponse:
    try:
        changes = publish_draft(draft=draft, by=signed_in(request), shown=request.POST.get("shown", ""))
    except ChangedSince as error:
        messages.warning(request, str(error))
        return redirect("admin:councils_councildraft_publish", draft.pk)
    except AlreadyPublished as error:
        messages.warning(request, str(error))
    except ConfigurationRejected as error:
        for problem in error.problems:
            messages.error(request, problem.removeprefix("councils[0]: ").removeprefix("councils[0]."))
    else:
        council: Any = draft.council
        admin.log_change(request, council, f"Published the draft “{draft.name}”: {'; '.join(changes) or 'no change'}.")
        before = draft.council.drafts.open().order_by("-pk").first() if changes else None
        said = format_html("{} sits as “{}” says, from the next run on.", draft.council.name, draft.name)
        if before is not None:
            address = reverse("admin:councils_councildraft_publish", args=[before.pk])
            said = format_html('{} <a class="{}" href="{}">Take it back…</a>', said, LINK, address)
        messages.success(request, said)
    return redirect("admin:councils_councildraft_change", draft.pk)
