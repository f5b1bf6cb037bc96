"""The audit trail, to read and to search."""

from typing import Any

from django.apps import apps
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.exceptions import NotRegistered
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from councils.admin.base import ProductAdmin, ReadOnlyAdmin, display, register
from councils.admin.large import CappedPaginator
from councils.admin.show import LINK, NOTHING
from councils.models import AuditEntry
from councils.services.auditing import KINDS

VERB_LABELS = {"created": "success", "changed": "info", "deleted": "danger", "did": "warning"}
MOST_FIELDS = 4


class KindFilter(SimpleListFilter):
    """By what was changed."""

    title = "record"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = sorted((str(model._meta.verbose_name), model._meta.label_lower) for model in KINDS)
        return [(label, capfirst(name)) for name, label in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


def kind_in_words(kind: str) -> str:
    """What a kind of record is called; a table that is gone keeps its label."""
    try:
        return capfirst(str(apps.get_model(kind)._meta.verbose_name))
    except (LookupError, ValueError):
        return kind


def address_of(entry: AuditEntry) -> str:
    """The record's page in the admin; empty where there is none."""
    try:
        return reverse(f"admin:{entry.kind.replace('.', '_')}_change", args=[entry.object_id])
    except NoReverseMatch:
        return ""


@register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    """Entries are written with what they tell of. Nobody changes or deletes them, superusers neither."""

    paginator = CappedPaginator
    list_display = ("at", "actor_name", "verb_label", "kind_name", "object_name", "summary", "door")
    list_filter = ("verb", KindFilter, "door", "at")
    search_fields = ("actor_name", "object_name", "=object_id")
    ordering = ("-pk",)
    change_form_template = "admin/councils/auditentry/entry.html"
    fields = ("at", "actor_name", "door", "verb", "kind_name", "record", "note")
    readonly_fields = fields

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AuditEntry | None:
        """An entry tells no more of a record than the record's own page tells this person."""
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.changes = self._to_show(request, entry)
        return entry

    def _to_show(self, request: HttpRequest, entry: AuditEntry) -> dict[str, Any]:
        try:
            its = self.admin_site.get_model_admin(apps.get_model(entry.kind))
        except (LookupError, ValueError, NotRegistered):
            return dict(entry.changes)
        return its.changes_to_show(request, entry) if isinstance(its, ProductAdmin) else dict(entry.changes)

    @display(description="what", ordering="verb", label=VERB_LABELS)
    def verb_label(self, entry: AuditEntry) -> str:
        return entry.verb

    @display(description="kind", ordering="kind")
    def kind_name(self, entry: AuditEntry) -> str:
        return kind_in_words(entry.kind)

    @display(description="record")
    def record(self, entry: AuditEntry) -> SafeString | str:
        address = address_of(entry)
        return format_html('<a href="{}" class="{}">{}</a>', address, LINK, entry.object_name) if address else entry.object_name

    @display(description="fields")
    def summary(self, entry: AuditEntry) -> str:
        """The names of what was changed; the values are on the entry's own page."""
        names = [name.replace("_", " ") for name in entry.changes]
        more = f" and {len(names) - MOST_FIELDS} more" if len(names) > MOST_FIELDS else ""
        return ", ".join(names[:MOST_FIELDS]) + more or entry.note or NOTHING
