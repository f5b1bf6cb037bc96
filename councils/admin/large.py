"""Lists of tables that grow without end: counted and sorted no further than anybody leafs, searched by what has an index, taken as CSV."""

from collections.abc import Callable, Sequence
from functools import cache, cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase

from councils.admin.base import ReadOnlyAdmin, action
from councils.admin.csv_export import Column, csv_response
from councils.models import User

MOST_COUNTED = 10_000
MOST_NAMED = 200
"""So many rows of another table that a word names are followed: people whose names begin so, models, councils."""
NEWEST_READ = 20_000
"""So many of the newest rows are read for words inside a text."""

_M = TypeVar("_M", bound=Model)
Finder = Callable[[str], Q | None]
"""What rows a search word may mean, ``None`` where it means none."""


class AtLeast(int):
    """A count that stopped: there are more."""

    def __str__(self) -> str:
        return f"{int(self):,}+"


class CappedPaginator(Paginator[Any]):
    """Counting a million rows takes longer than showing fifty. What is older than the last page is found by a filter."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        found: int = rows.order_by().values("pk")[: MOST_COUNTED + 1].count()
        return found if found <= MOST_COUNTED else AtLeast(MOST_COUNTED)


def column(name: str, *, lower: bool = False) -> Finder:
    """Rows whose column, which has an index, is just the word."""
    return lambda word: Q(**{name: word.lower() if lower else word})


def through(name: str, rows: Callable[[str], QuerySet[Any]]) -> Finder:
    """Rows that point at one of the rows that the word names; these are looked up first, so that an index finds the others."""

    def find(word: str) -> Q | None:
        named = list(rows(word).order_by().values_list("pk", flat=True)[:MOST_NAMED])
        return Q(**{f"{name}__in": named}) if named else None

    return find


def people(word: str) -> QuerySet[User]:
    """Those whose user name begins so."""
    return User.objects.filter(username__istartswith=word)


def newest(model: type[Model], name: str) -> Finder:
    """Rows with the word anywhere in their text, among the newest."""

    def find(word: str) -> Q | None:
        last = QuerySet(model).order_by("-pk").values_list("pk", flat=True).first()
        return None if last is None else Q(**{f"{name}__icontains": word, "pk__gt": last - NEWEST_READ})

    return find


@cache
def _has_index(model: type[Model], name: str) -> bool:
    """Whether rows can be read in the order of this column without sorting all of them."""
    by_index = {index.fields[0].removeprefix("-") for index in model._meta.indexes if index.fields and index.condition is None}
    field = next((field for field in model._meta.concrete_fields if field.name == name), None)
    return name == "pk" or name in by_index or bool(field and (field.unique or getattr(field, "db_index", False)))


if TYPE_CHECKING:
    _List = ChangeList
else:
    _List = object


class BoundedOrder(_List):
    """A list that is sorted by a column without an index only where that takes no long time: where few rows are left."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        chosen = str(next(iter(found.query.order_by), "pk"))
        name = chosen.removeprefix("-")
        if not request.GET.get(ORDER_VAR) or _has_index(self.model, name):
            return found
        if name == "created_at":
            # They are written in this order.
            return found.order_by(chosen.replace(name, "pk"))
        if found.order_by().values("pk")[: MOST_COUNTED + 1].count() <= MOST_COUNTED:
            return found
        messages.warning(request, f"More than {MOST_COUNTED:,} rows are not sorted by this column. Choose fewer by a filter or a search.")
        return found.order_by("-pk")


class LargeList(ReadOnlyAdmin[_M]):
    """The list of such a table. ``found_by`` says what a search word may mean, ``csv_columns`` what an export holds."""

    paginator = CappedPaginator
    # To count what each filter would leave reads every row.
    show_facets = ShowFacets.NEVER
    found_by: Sequence[Finder] = ()
    csv_columns: Sequence[Column] = ()
    actions: Sequence[str] = ("as_csv",)
    # Shows the field; what it looks for is said by ``found_by``.
    search_fields = ("pk",)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[_M], search_term: str) -> tuple[QuerySet[_M], bool]:
        word = search_term.strip()
        if not word or "\x00" in word:
            return queryset, False
        meanings = [meant for finder in self.found_by if (meant := finder(word)) is not None]
        return (queryset.filter(reduce(or_, meanings)) if meanings else queryset.none()), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        return type("BoundedList", (BoundedOrder, super().get_changelist(request, **kwargs)), {})

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if not self.csv_columns:
            actions.pop("as_csv", None)
        return actions

    @action(description="Download as CSV", permissions=["view"])
    def as_csv(self, request: HttpRequest, queryset: QuerySet[_M]) -> HttpResponseBase:
        """The chosen rows, or all that the list holds."""
        return csv_response(request, queryset, self.csv_columns, name=str(self.opts.verbose_name_plural))
