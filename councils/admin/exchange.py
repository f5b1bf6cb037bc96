"""Councils as JSON: out of the admin as a file, and in again after one has seen what would change."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from councils.admin.pages import page
from councils.admin.provider import WRITERS_FIELDS
from councils.models import CouncilConfiguration, ModelInfo
from councils.services.configuration import (
    ConfigurationRejected,
    apply_configuration,
    dump_configuration,
    dump_councils,
    parse_document,
)
from councils.services.pricing import MAY_SET

LARGEST = 2 * 1024 * 1024
PRICES = ("cost_per_1k_input_tokens", "cost_per_1k_output_tokens")
RIGHTS = {
    "councils": ("councils.add_councilconfiguration", "councils.change_councilconfiguration"),
    "prompts": ("councils.add_prompttemplate",),
    "models": ("councils.add_modelinfo", "councils.change_modelinfo"),
}
"""What one must be allowed to bring in a section. Providers are for superusers: they say where this server connects, with which key."""


def document_of(councils: QuerySet[CouncilConfiguration]) -> dict[str, Any]:
    wanted = CouncilConfiguration.objects.filter(pk__in=councils.values("pk")).order_by("slug").with_details()
    return dump_councils(wanted)


def as_file(document: dict[str, Any], name: str) -> HttpResponse:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    answer = HttpResponse(text, content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return answer


def export_all(request: HttpRequest) -> HttpResponse:
    """Everything that is configured, without secrets. Shows providers too, so that takes the right to view them."""
    needed = ("view_councilconfiguration", "view_prompttemplate", "view_modelinfo", "view_provider")
    if not request.user.has_perms([f"councils.{name}" for name in needed]):
        raise PermissionDenied
    document = dump_configuration()
    if not request.user.has_perm("councils.change_provider"):
        # What is left out stays as it is when the file comes back.
        document["providers"] = [{name: said for name, said in one.items() if name not in WRITERS_FIELDS} for one in document["providers"]]
    return as_file(document, "configuration")


class ImportForm(forms.Form):
    """A file or a text; the file goes first."""

    file = forms.FileField(required=False)
    text = forms.CharField(required=False, max_length=LARGEST, strip=False)

    def document_text(self) -> str:
        """What was sent. Raises ``ConfigurationRejected`` where that is no text."""
        sent = self.cleaned_data.get("file")
        if sent is None:
            return str(self.cleaned_data.get("text") or "")
        if sent.size > LARGEST:
            raise ConfigurationRejected([f"The file is larger than {LARGEST // 1024:,} KB."])
        try:
            return str(sent.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ConfigurationRejected(["The file is not a text in UTF-8."]) from None


def bring_in(admin: ModelAdmin[CouncilConfiguration], request: HttpRequest) -> HttpResponse:
    """Take a document: first say all that is wrong, or all that would change; change it when that was confirmed."""
    if not any(request.user.has_perms(rights) for rights in RIGHTS.values()):
        raise PermissionDenied
    context: dict[str, Any] = {"text": "", "problems": [], "changes": None}
    form = ImportForm(request.POST, request.FILES)
    if request.method == "POST" and form.is_valid():
        try:
            context["text"] = form.document_text()
            document = parse_document(context["text"])
            _check_rights(request, document)
            context["changes"] = apply_configuration(document, dry_run="apply" not in request.POST).changes
        except ConfigurationRejected as error:
            context["problems"] = error.problems
        else:
            if "apply" in request.POST:
                return _applied(admin, request, document, context["changes"])
    elif request.method == "POST":
        context["problems"] = ["This is too large or empty."]
    return page(admin, request, "councilconfiguration/import.html", "Import councils", **context)


def _check_rights(request: HttpRequest, document: dict[str, Any]) -> None:
    sections = [name for name, rights in RIGHTS.items() if document.get(name) and not request.user.has_perms(rights)]
    if document.get("providers") and not request.user.is_superuser:
        sections.append("providers")
    if _sets_prices(document) and not request.user.has_perm(MAY_SET):
        raise ConfigurationRejected(["models: You may not set prices. Leave them out, or ask somebody who may."])
    if sections:
        raise ConfigurationRejected(
            [f"{name}: You may not bring these in. Leave the section out, or ask a superuser." for name in sections]
        )


def _sets_prices(document: dict[str, Any]) -> bool:
    """Whether a model of the document has a price that is not the stored one. What is no model is left to whoever reads the document."""
    models = document.get("models")
    given = [entry for entry in (models if isinstance(models, list) else ()) if isinstance(entry, dict)]
    stored = {(model.provider.slug, model.name): model for model in ModelInfo.objects.select_related("provider")}
    return any(
        not _same(entry[name], getattr(stored.get((str(entry.get("provider")), str(entry.get("name")))), name, None))
        for entry in given
        for name in PRICES
        if name in entry
    )


def _same(given: Any, stored: Decimal | None) -> bool:
    if given is None or stored is None:
        return given is stored
    try:
        return bool(Decimal(str(given)) == stored)
    except ArithmeticError:
        return False


def _applied(
    admin: ModelAdmin[CouncilConfiguration], request: HttpRequest, document: dict[str, Any], changes: Iterable[str]
) -> HttpResponse:
    lines = list(changes)
    slugs = [entry["slug"] for entry in document.get("councils", [])]
    if lines:
        for council in CouncilConfiguration.objects.filter(slug__in=slugs):
            admin.log_change(request, council, "Imported from JSON.")
    count = f"{len(lines)} change{'' if len(lines) == 1 else 's'}"
    messages.success(request, f"Imported: {count}. They count from the next run on." if lines else "Nothing was there to change.")
    return redirect("admin:councils_councilconfiguration_changelist")
