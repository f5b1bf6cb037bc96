"""What one has used and what is left."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from councils.services.budgeting import standings_for
from councils.services.spending import spending_of
from councils.web.limits import signed_in


@login_required
@never_cache
@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """Today and this month, by council, and the budgets that hold."""
    user = signed_in(request)
    today, month = spending_of(user)
    return render(request, "councils/usage.html", {"today": today, "month": month, "standings": standings_for(by=user)})
