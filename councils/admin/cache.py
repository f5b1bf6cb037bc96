"""What need not be paid again."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from councils.admin.base import ReadOnlyAdmin, action, display, register
from councils.admin.large import CappedPaginator
from councils.admin.show import duration, excerpt
from councils.models import CachedResponse, CacheKind, CacheStatistic
from councils.services.caching import STATISTICS_DAYS, cache_stats, forget, invalidate

MAY_CLEAR = "councils.delete_cachedresponse"


@register(CachedResponse)
class CachedResponseAdmin(ReadOnlyAdmin[CachedResponse]):
    """Stored responses. Those who may delete them do it here, for both tiers."""

    paginator = CappedPaginator
    list_display = ("last_used_at", "kind", "model_name", "beginning", "hit_count", "size_bytes", "expires_at")
    list_filter = ("kind", "model_name")
    search_fields = ("cache_key", "prompt_hash", "model_name")
    actions = ("forget_these",)
    list_before_template = "admin/councils/cachedresponse/_figures.html"

    def get_urls(self) -> list[URLPattern]:
        clear = path("clear/<str:kind>/", self.admin_site.admin_view(self.clear), name="councils_cachedresponse_clear")
        return [clear, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list below what each kind holds and how often it was found."""
        figures = [
            {
                "kind": kind,
                "label": CacheKind(kind).label,
                "stats": stats,
                "rate": _share(stats.hits, stats.requests),
                "kept_for": duration(round(timedelta(seconds=stats.ttl_s) / timedelta(milliseconds=1))),
            }
            for kind, stats in cache_stats().items()
        ]
        context = {"figures": figures, "statistics_days": STATISTICS_DAYS, "enabled": settings.ENABLE_CACHE}
        context["may_clear"] = self.has_forget_permission(request)
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def clear(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Ask, then forget everything of a kind."""
        if kind not in CacheKind.values:
            raise Http404
        if not self.has_forget_permission(request):
            raise PermissionDenied
        label = CacheKind(kind).label
        if request.method == "POST":
            messages.success(request, f"{label}: {invalidate(kind=kind)} responses were forgotten. The same questions will be paid again.")
            return redirect("admin:councils_cachedresponse_changelist")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Clear the cache"}
        return TemplateResponse(
            request, "admin/councils/cachedresponse/clear.html", {**context, "label": label, "stats": cache_stats()[kind]}
        )

    @display(description="answer")
    def beginning(self, row: CachedResponse) -> str:
        data = row.response_data
        return excerpt(str(data.get("text", data)) if isinstance(data, dict) else str(data))

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_CLEAR)

    @action(description="Forget these responses", permissions=["forget"])
    def forget_these(self, request: HttpRequest, rows: QuerySet[CachedResponse]) -> None:
        messages.success(request, f"{forget(rows)} responses were forgotten. The same questions will be paid again.")


@register(CacheStatistic)
class CacheStatisticAdmin(ReadOnlyAdmin[CacheStatistic]):
    list_display = ("day", "kind", "requests", "hits", "rate")
    list_filter = ("kind",)
    date_hierarchy = "day"

    @display(description="found")
    def rate(self, row: CacheStatistic) -> Any:
        return _share(row.hits, row.requests)


def _share(hits: int, requests: int) -> str:
    return f"{hits / requests:.0%}" if requests else "–"
