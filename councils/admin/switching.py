"""Switching models and providers off: who uses them is told first."""

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from councils.admin.pages import numbers_from, page
from councils.models import ModelInfo
from councils.services.switching import Hit, councils_hit
from councils.services.switching import switch_off as switch_off_rows


def models_of(rows: QuerySet[Any]) -> list[int]:
    """The models among these rows, or that these providers serve."""
    if rows.model is ModelInfo:
        return list(rows.values_list("pk", flat=True))
    return list(ModelInfo.objects.filter(provider__in=rows).values_list("pk", flat=True))


def address(admin: ModelAdmin[Any], pks: Collection[int]) -> str:
    name = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_switch_off"
    return f"{reverse(name)}?{urlencode([('id', pk) for pk in pks])}"


def switch_off(admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Say which councils would be hit, and how; then do it."""
    if not admin.has_change_permission(request):
        raise PermissionDenied
    rows = admin.get_queryset(request).filter(pk__in=numbers_from(request.GET.getlist("id")), is_active=True)
    back = redirect(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    if request.method == "POST" or not rows:
        with transaction.atomic():
            chosen = list(rows)
            done = switch_off_rows(rows)
            for row in chosen:
                admin.log_change(request, row, "Switched off.")
        messages.success(request, f"{done} switched off. Runs that have begun go on. Switch on in the list takes it back.")
        return back
    hits = councils_hit(models_of(rows))
    context = {"rows": list(rows), "hits": hits, "silenced": [hit for hit in hits if hit.problems], "back": back.url}
    return page(admin, request, "provider/switch_off.html", f"Switch off {admin.opts.verbose_name_plural}", **context)


def warn_of(request: HttpRequest, hits: Collection[Hit]) -> None:
    """For whoever has switched something off in its form: what has become of the councils."""
    for hit in hits:
        what = " ".join(hit.problems) or "It goes on without."
        messages.warning(request, f"{hit.council.name} uses this as {', '.join(hit.uses)}. {what}")
