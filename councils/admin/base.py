"""The admin's common ground, and the only place that knows django-unfold, which gives it its looks."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import DateTimeField, DecimalField, Model, QuerySet
from django.forms import DecimalField as DecimalFormField
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from councils.admin.empty import lesson
from councils.admin.keys import RowField, is_key
from councils.admin.show import moment
from councils.formatting import plain
from councils.models import AuditEntry, User
from councils.services import auditing
from councils.services.picturing import row_id

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.contrib.admin.forms import AdminPasswordChangeForm
    from django.contrib.auth import forms as auth_forms
    from django.forms import CheckboxInput as SwitchWidget
    from django.forms import CheckboxSelectMultiple as CheckboxList
    from django.forms import PasswordInput as PasswordWidget

    coloured_display: Any

    class PersonFilter(admin.RelatedFieldListFilter): ...

    class UserChangeForm(auth_forms.UserChangeForm[User]): ...

    class UserCreationForm(auth_forms.UserCreationForm[User]): ...
else:
    from unfold.admin import ModelAdmin, StackedInline, TabularInline
    from unfold.contrib.filters.admin import AutocompleteSelectFilter as PersonFilter
    from unfold.decorators import display as coloured_display
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as CheckboxList
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordWidget
    from unfold.widgets import UnfoldBooleanSwitchWidget as SwitchWidget

__all__ = [
    "AdminPasswordChangeForm",
    "CheckboxList",
    "PasswordWidget",
    "PersonFilter",
    "ProductAdmin",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "RowInline",
    "SectionInline",
    "SwitchWidget",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "display",
    "outside",
    "register",
    "restyled",
    "signed_in",
    "unregister",
]

_M = TypeVar("_M", bound=Model)
_F = TypeVar("_F", bound=Callable[..., object])
_P = TypeVar("_P", bound=Model)

register = admin.register
unregister = admin.site.unregister
admin.site.index_title = "Today"
action = admin.action


def outside(method: _F) -> _F:
    """An action that is carried out in no transaction, because it asks others over the network: nobody else could write meanwhile.

    Nothing records what it changes: whatever it calls does that by itself.
    """
    cast("Any", method).is_outside = True
    return method


def display(*, description: str, ordering: str | None = None, label: Mapping[str, str] | None = None) -> Callable[[_F], _F]:
    """A column. ``label`` shows its value as a label in the colour (``success``, ``warning``, ``danger``, ``info``) of that value."""

    def decorate(method: _F) -> _F:
        coloured_display(description=description, ordering=ordering, label=label)(method)
        return method

    return decorate


def signed_in(request: HttpRequest) -> User:
    """Who is at work. The admin's views let nobody else through; this says so to the type checker and to whoever calls them otherwise."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


@cache
def _moment_column(name: str, title: str) -> Callable[[Model], str]:
    """Always the same function for the same column: the admin compares them."""

    @display(description=title, ordering=name)
    def column(row: Model) -> str:
        return moment(getattr(row, name))

    return column


# What the filters at the side and the days above a list ask of a column.
ASKED = ("exact", "isnull", "isempty", "gte", "lt", "year", "month", "day")
HISTORY_PAGE = 50
# Every row that is chosen is read before and after an action.
MOST_AT_ONCE = 1000
UNSEEN = ("not shown", "not shown")
READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def _names_row(model: type[Model], lookup: str) -> bool:
    """Whether this asks for the rows that belong to one other row, by its key: what our links do."""
    relation, _, rest = lookup.partition("__")
    fields = (*model._meta.fields, *model._meta.many_to_many)
    return rest == "id__exact" and any(field.name == relation and field.is_relation for field in fields)


class PlainDecimalField(DecimalFormField):
    """A number stands in its field as people type it: ``0``, not ``0E-8``."""

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if isinstance(value, Decimal) else value


class ProductAdmin(ModelAdmin[_M]):
    """Lists of a page, filters at the side, a warning before unsaved changes are lost."""

    formfield_overrides = {DecimalField: {"form_class": PlainDecimalField}}

    list_per_page = 50
    # Counting all rows beside the filtered ones would scan whole ledgers.
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True
    # What links of the first page ask of this list, beside what its filters ask.
    linked: tuple[str, ...] = ()
    # Fields whose values only those see who may change the record.
    writers_fields: frozenset[str] = frozenset()

    def get_list_display(self, request: HttpRequest) -> Any:
        """Times are shown to the minute, with their zone."""
        times = {field.name: field for field in self.opts.get_fields() if isinstance(field, DateTimeField)}
        columns = super().get_list_display(request)
        return [_moment_column(name, times[name].verbose_name) if name in times else name for name in columns]

    def get_fieldsets(self, request: HttpRequest, obj: _M | None = None) -> Any:
        """On a page that is only looked at, times as the lists write them."""
        times = {field.name: field for field in self.opts.get_fields() if isinstance(field, DateTimeField)}

        def shown(row: Any) -> Any:
            if isinstance(row, list | tuple):
                return tuple(shown(name) for name in row)
            return _moment_column(row, times[row].verbose_name) if row in times else row

        whole = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return whole
        return [(title, {**options, "fields": shown(tuple(options["fields"]))}) for title, options in whole]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list's filters and our own links ask: any other column could be read letter by letter, a secret one too."""
        known = lookup in self.linked or lookup in self._filtered(request) or _names_row(self.model, lookup)
        return known and super().lookup_allowed(lookup, value, request)

    def _filtered(self, request: HttpRequest) -> set[str]:
        """All that the filters of this list may have in an address."""
        found = set()
        for one in (*self.get_list_filter(request), self.date_hierarchy):
            if isinstance(one, type) and issubclass(one, SimpleListFilter):
                found.add(str(one.parameter_name))
            elif one:
                name = str(one[0] if isinstance(one, list | tuple) else one)
                found |= {name, f"{name}__id__exact", *(f"{name}__{asked}" for asked in ASKED)}
        return found

    def _has_trail(self) -> bool:
        """Whether people change these rows here, so that every change is recorded."""
        return True

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        if request.method in READING:
            # To look at a form is no reason to keep others from writing, as a transaction on SQLite does.
            return super().changeform_view(request, object_id, form_url, extra_context)
        try:
            return self._changed(request, object_id, form_url, extra_context)
        except IntegrityError:
            # Somebody else saved the same name since the form was checked. Checked once more, it says so at the field.
            return self._changed(request, object_id, form_url, extra_context)

    def _changed(self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: dict[str, Any] | None) -> Any:
        row = self.get_object(request, unquote(object_id)) if object_id and self._has_trail() else None
        with auditing.audited([] if row is None else [row]):
            return super().changeform_view(request, object_id, form_url, extra_context)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Chosen rows are named by keys that there can be. Anything else chooses nothing. No filter asks for what PostgreSQL refuses."""
        sent: Any = request
        if any("\x00" in value for values in request.GET.lists() for value in values[1]):
            sent.GET = request.GET.copy()
            for name, values in request.GET.lists():
                sent.GET.setlist(name, [value.replace("\x00", "") for value in values])
        if request.method == "POST":
            sent.POST = request.POST.copy()
            sent.POST.setlist(ACTION_CHECKBOX_NAME, list(filter(self._is_key, request.POST.getlist(ACTION_CHECKBOX_NAME))))
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """An empty list says what it is for."""
        found: Any = super().get_changelist_instance(request)
        found.lesson = lesson(str(self.opts.model_name), request)
        return found

    def _is_key(self, text: str) -> bool:
        return is_key(self.model, text)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", RowField(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[_M], search_term: str) -> tuple[QuerySet[_M], bool]:
        return super().get_search_results(request, queryset, search_term.replace("\x00", ""))

    def response_action(self, request: HttpRequest, queryset: QuerySet[_M], *args: Any, **kwargs: Any) -> Any:
        """Whatever an action does to the chosen rows, an ``update()`` or a deletion too, is recorded."""
        if self._is_outside(request) or not self._has_trail():
            # What is done to records goes one by one, each in a transaction of its own: one that fails undoes no other.
            return super().response_action(request, queryset, *args, **kwargs)
        across = request.POST.get("select_across") == "1"
        if across and queryset.count() > MOST_AT_ONCE:
            self.message_user(request, f"Choose at most {MOST_AT_ONCE:,} rows at once: every change is recorded.", messages.ERROR)
            return None
        chosen = queryset if across else queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))
        with auditing.audited(chosen):
            return super().response_action(request, queryset, *args, **kwargs)

    def _is_outside(self, request: HttpRequest) -> bool:
        # Found as Django finds it: a form above the list and one below it may both name an action.
        try:
            index = int(request.POST.get("index", 0))
        except ValueError:
            index = 0
        names = request.POST.getlist("action") or [""]
        found = self.get_actions(request).get(names[index] if -len(names) <= index < len(names) else names[-1])
        return found is not None and bool(getattr(found[0], "is_outside", False))

    def delete_model(self, request: HttpRequest, obj: _M) -> None:
        with auditing.audited(auditing.doomed([obj])):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[_M]) -> None:
        with auditing.audited(auditing.doomed(list(queryset))):
            super().delete_queryset(request, queryset)

    def log_addition(self, request: HttpRequest, obj: _M, message: Any) -> Any:
        auditing.record_created(obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: _M, message: Any) -> Any:
        if isinstance(message, str) and not auditing.is_watched(obj):
            auditing.record_deed(obj, message)
        return super().log_change(request, obj, message)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Who changed what, field by field."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        kind, pk = row_id(row)
        entries = Paginator(AuditEntry.objects.of(kind, pk), HISTORY_PAGE).get_page(request.GET.get("p"))
        for entry in entries:
            entry.changes = self.changes_to_show(request, entry)
        context = {"entries": entries, "original": row, **(extra_context or {})}
        around = {**self.admin_site.each_context(request), "opts": self.opts, "title": "History"}
        return TemplateResponse(request, "admin/councils/history.html", {**around, **context})

    def changes_to_show(self, request: HttpRequest, entry: AuditEntry) -> dict[str, Any]:
        """What an entry of the trail tells this person of a record of this kind."""
        if self.has_change_permission(request):
            return dict(entry.changes)
        return {name: UNSEEN if name in self.writers_fields else values for name, values in entry.changes.items()}


class ReadOnlyAdmin(ProductAdmin[_M]):
    """Records are looked at, never written: the product writes them."""

    def _has_trail(self) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False


def restyled(theirs: type[Any]) -> type[ProductAdmin[Any]]:
    """Another app's admin class in our looks. Its own templates are left out: they hold inline scripts, which our policy forbids."""
    plain = {"change_form_template": None, "change_list_template": None}
    return type(theirs.__name__, (theirs, ProductAdmin), plain)


class RowInline(TabularInline[_M, _P]):
    """Related rows as a table."""

    extra = 0


class SectionInline(StackedInline[_M, _P]):
    """Related rows as sections, for those with many fields."""

    extra = 0


class ReadOnlyInline(RowInline[_M, _P]):
    """Related records as a table that nobody edits."""

    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
