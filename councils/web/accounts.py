"""Signing in, out and up."""

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from councils.models import User
from councils.origins import client_address
from councils.services.auditing import record_created
from councils.web.language import chosen_language
from councils.web.limits import SIGN_IN_BY_ADDRESS, SIGN_IN_BY_NAME, SIGN_UP, Limit, signed_in
from councils.web.preferences import carry_preferences

TOO_MANY_REQUESTS = 429


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("User name and password do not match. Mind upper and lower case, and try again."),
        "inactive": _("This account is switched off. Ask the people who run this site."),
    }


class SignUpForm(UserCreationForm[User]):
    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username",)


def _over_sign_in_limit(request: HttpRequest) -> Limit | None:
    address, name = client_address(request), request.POST.get("username", "").strip().casefold()[:150]
    # Counted by address and name together, so that a stranger elsewhere cannot lock somebody out.
    checks = ((SIGN_IN_BY_ADDRESS, address), (SIGN_IN_BY_NAME, f"{address} {name}"))
    return next((limit for limit, key in checks if limit.is_over(request, key)), None)


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Whoever the admin does not let in: strangers sign in like everybody, others have no business there."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next", reverse("admin:index")))


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        limit = _over_sign_in_limit(request)
        if limit is None:
            return super().post(request, *args, **kwargs)
        # The password is not looked at: more tries must tell nothing.
        form = self.authentication_form(request, initial={"username": request.POST.get("username", "")[:150]})
        return self.render_to_response(self.get_context_data(form=form, refusal=limit.message), status=TOO_MANY_REQUESTS)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        carry_preferences(response, signed_in(self.request))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(signup_enabled=settings.SIGNUP_ENABLED, **kwargs)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponseBase:
    """Make an account and sign in with it; only where the site allows it."""
    if not settings.SIGNUP_ENABLED:
        raise Http404
    if request.user.is_authenticated:
        return redirect("ask")
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if SIGN_UP.is_over(request, client_address(request)):
            return render(request, "accounts/sign_up.html", {"form": form, "refusal": SIGN_UP.message}, status=TOO_MANY_REQUESTS)
        if form.is_valid():
            form.instance.language = chosen_language(request)
            with transaction.atomic():
                login(request, form.save())
                record_created(form.instance)
            return redirect("ask")
    return render(request, "accounts/sign_up.html", {"form": form})
