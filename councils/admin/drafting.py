"""The form of a council as the form of a draft: it is filled in, checked and saved like the council itself, and all of it is taken back."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from councils.admin.base import ProductAdmin, signed_in
from councils.admin.pages import number_from
from councils.models import CouncilConfiguration, CouncilDraft
from councils.services.auditing import taken_back
from councils.services.configuration import ConfigurationRejected
from councils.services.drafting import apply_draft, change_draft, document_of, keep_draft

MAY_DRAFT = "councils.add_councildraft"
MAY_REDRAFT = "councils.change_councildraft"
KEEP = "_draft"
"""The name of the button that keeps what the form says as a draft."""
LEFT_ALONE = frozenset({"slug", "is_active", "is_default"})
Document = dict[str, Any]


class Drafted(Exception):
    """The form was saved, which says how the council would sit. Raised through the view's transaction, which takes all of it back."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document


class DraftingAdmin(ProductAdmin[CouncilConfiguration]):
    """The council's form with a second button, and with ``?draft=`` as the form of that draft."""

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        draft = self._draft(request, object_id)
        if object_id is None or (draft is None and KEEP not in request.POST):
            context = {"may_draft": object_id is not None and request.user.has_perm(MAY_DRAFT), **(extra_context or {})}
            plain: HttpResponse = super().changeform_view(request, object_id, form_url, context)
            return plain
        self._check_rights(request, draft)
        try:
            return self._taken_back(request, draft, object_id, form_url, extra_context)
        except Drafted as drafted:
            return self._keep(request, draft, object_id, drafted.document)
        except ConfigurationRejected as error:
            messages.error(request, f"This draft does not fit any more. {' '.join(error.problems)}")
            return redirect("admin:councils_councildraft_change", draft.pk if draft else 0)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change and (KEEP in request.POST or "draft" in request.GET):
            raise Drafted(document_of(form.instance))

    def get_fieldsets(self, request: HttpRequest, obj: CouncilConfiguration | None = None) -> Any:
        """A draft says nothing of who may ask the council and under which name."""
        fieldsets: Any = super().get_fieldsets(request, obj)
        if obj is None or "draft" not in request.GET:
            return fieldsets
        return [(title, {**options, "fields": _without(options["fields"])}) for title, options in fieldsets]

    def _draft(self, request: HttpRequest, object_id: str | None) -> CouncilDraft | None:
        """The draft that the address names; ``None`` where it names none. A wrong one is not found."""
        if "draft" not in request.GET or object_id is None:
            return None
        found = CouncilDraft.objects.open().filter(pk=number_from(request.GET["draft"]), council_id=number_from(object_id))
        draft = found.select_related("council").first()
        if draft is None:
            raise Http404
        return draft

    def _check_rights(self, request: HttpRequest, draft: CouncilDraft | None) -> None:
        if not request.user.has_perm(MAY_REDRAFT if draft else MAY_DRAFT):
            raise PermissionDenied

    def _taken_back(
        self, request: HttpRequest, draft: CouncilDraft | None, object_id: str | None, form_url: str, extra: dict[str, Any] | None
    ) -> HttpResponse:
        """The form over rows as the draft has them. Nothing of it stays, whatever was sent."""
        with taken_back():
            kept: Mapping[str, str] = {}
            if draft is not None:
                apply_draft(draft.council, draft.document)
                kept = _names_of_rows(draft.council)
                if request.method == "POST":
                    sent: Any = request
                    sent.POST = _renumbered(request.POST, kept)
            shown = {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False, "show_delete": False}
            context = {
                **(shown if draft else {}),
                "draft": draft,
                "rows": {f"{name.partition(':')[0]}:{pk}": name for name, pk in kept.items()},
                "may_draft": True,
            }
            response: HttpResponse = super().changeform_view(request, object_id, form_url, {**context, **(extra or {})})
            # Its seats are read here, where the draft is true. What is left to read while the page is drawn, the lists of choices, no draft
            # changes: others need not wait for that, as they do on SQLite as long as this lasts.
            for inline in (response.context_data or {})["inline_admin_formsets"] if isinstance(response, TemplateResponse) else ():
                _ = list(inline), inline.formset.forms
            return response

    def _keep(self, request: HttpRequest, draft: CouncilDraft | None, object_id: str | None, document: Document) -> HttpResponse:
        by = signed_in(request)
        if draft is None:
            council = CouncilConfiguration.objects.get(pk=number_from(object_id))
            draft = keep_draft(council=council, document=document, by=by)
            self.log_change(request, council, f"Kept the draft “{draft.name}”.")
        else:
            change_draft(draft=draft, document=document)
        messages.success(request, f"“{draft.name}” was kept. Nobody is asked by it until you publish it.")
        return redirect("admin:councils_councildraft_change", draft.pk)


def _without(fields: Any) -> list[Any]:
    """A fieldset without what a draft leaves alone; lines that have nothing left are left out."""
    lines = [tuple(name for name in ((line,) if isinstance(line, str) else line) if name not in LEFT_ALONE) for line in fields]
    return [line for line in lines if line]


def _names_of_rows(council: CouncilConfiguration) -> dict[str, str]:
    """Primary keys of the rows by a name that outlives them: rows that a draft adds are made anew at every look, with other keys."""
    names = {f"members:{agent}": str(pk) for pk, agent in council.members.values_list("pk", "agent_id")}
    models = council.chairman_fallbacks.values_list("pk", "model_id")
    return names | {f"chairman_fallbacks:{model}": str(pk) for pk, model in models}


def _renumbered(sent: QueryDict, now: Mapping[str, str]) -> QueryDict:
    """What was sent, with the rows' present keys in place of those that they had when the form was shown."""
    data = sent.copy()
    names = {field.removeprefix("row:"): value for field, value in sent.items() if field.startswith("row:")}
    for field, value in sent.items():
        prefix, _, rest = field.partition("-")
        name = str(names.get(f"{prefix}:{value}", ""))
        if rest.endswith("-id") and name in now:
            data[field] = now[name]
    return data
