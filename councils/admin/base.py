"""The admin's common ground, and the only place that knows django-unfold, which gives it its looks."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import DateTimeField, Model
from django.http import HttpRequest

from councils.admin.show import moment
from councils.models import User

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.contrib.admin.forms import AdminPasswordChangeForm
    from django.contrib.auth import forms as auth_forms
    from django.forms import PasswordInput as PasswordWidget

    coloured_display: Any

    class UserChangeForm(auth_forms.UserChangeForm[User]): ...

    class UserCreationForm(auth_forms.UserCreationForm[User]): ...
else:
    from unfold.admin import ModelAdmin, StackedInline, TabularInline
    from unfold.decorators import display as coloured_display
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordWidget

__all__ = [
    "AdminPasswordChangeForm",
    "PasswordWidget",
    "ProductAdmin",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "RowInline",
    "SectionInline",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "display",
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


class ProductAdmin(ModelAdmin[_M]):
    """Lists of a page, filters at the side, a warning before unsaved changes are lost."""

    list_per_page = 50
    # Counting all rows beside the filtered ones would scan whole ledgers.
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True

    def get_list_display(self, request: HttpRequest) -> Any:
        """Times are shown to the minute, with their zone."""
        times = {field.name: field for field in self.opts.get_fields() if isinstance(field, DateTimeField)}
        columns = super().get_list_display(request)
        return [_moment_column(name, times[name].verbose_name) if name in times else name for name in columns]


class ReadOnlyAdmin(ProductAdmin[_M]):
    """Records are looked at, never written: the product writes them."""

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
