"""How often visitors came, and how often they were refused."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from councils.admin.base import ReadOnlyAdmin, register
from councils.admin.large import CappedPaginator
from councils.models import RateLimitLog


class Refused(SimpleListFilter):
    """Whether anybody had to wait."""

    title = "refused"
    parameter_name = "refused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Some were refused"), ("no", "None was refused")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RateLimitLog]) -> QuerySet[RateLimitLog]:
        match self.value():
            case "yes":
                return queryset.filter(blocked_count__gt=0)
            case "no":
                return queryset.filter(blocked_count=0)
        return queryset


@register(RateLimitLog)
class RateLimitLogAdmin(ReadOnlyAdmin[RateLimitLog]):
    paginator = CappedPaginator
    list_display = ("window_start", "identifier", "endpoint", "request_count", "blocked_count")
    list_filter = (Refused,)
    search_fields = ("identifier", "endpoint")
