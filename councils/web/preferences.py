"""What people set for themselves: language, look, the council that they ask, their password."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from councils.models import CouncilConfiguration, User
from councils.models.user import Language, Theme
from councils.services.auditing import audited
from councils.web.appearance import keep_theme, theme_of
from councils.web.language import browsers_language, chosen_language, keep_language
from councils.web.limits import signed_in


class PreferencesForm(forms.ModelForm[User]):
    """Without a language the browser decides, without a council the one that was chosen last is ticked."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As my browser asks for")), *Language.choices],
        help_text=_("This is the language of the pages. Members answer in the language of the question."),
    )
    theme = forms.ChoiceField(label=_("Appearance"), choices=Theme.choices)
    default_council = forms.ModelChoiceField(
        label=_("Council"),
        required=False,
        queryset=CouncilConfiguration.objects.active(),
        empty_label=_("The one I chose last"),
        help_text=_("It is chosen when you open the first page. You can take another one for each question."),
        error_messages={"invalid_choice": _("This council cannot be asked any more. Choose another.")},
    )

    class Meta:
        model = User
        fields = ("language", "theme", "default_council")

    def __init__(self, user: User, data: QueryDict | None = None, *, language: str = "", theme: Theme = Theme.SYSTEM) -> None:
        """``language`` and ``theme`` are what this browser keeps: they show where the account knows none."""
        super().__init__(data, instance=user, initial={"language": user.language or language, "theme": user.theme or theme.value})

    def save(self, commit: bool = True) -> User:
        """Write only what is set here: what staff change of the account at the same moment stays."""
        user = super().save(commit=False)
        if commit:
            user.save(update_fields=self.Meta.fields)
        return user


def carry_preferences(response: HttpResponse, user: User) -> None:
    """Bring what this user once chose to the browser that they use now."""
    if user.language:
        keep_language(response, user.language)
    if user.theme:
        keep_theme(response, user.theme)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Your settings. What was saved is said in the language that was chosen."""
    user = signed_in(request)
    posted = request.POST if request.method == "POST" else None
    form = PreferencesForm(user, posted, language=chosen_language(request), theme=theme_of(request))
    if not form.is_valid():
        return render(request, "accounts/settings.html", {"form": form}, status=400 if form.is_bound else 200)
    form.save()
    with translation.override(user.language or browsers_language(request)):
        messages.success(request, _t("Your settings are saved."))
    response = redirect("settings")
    keep_language(response, user.language)
    keep_theme(response, user.theme)
    return response


class NewPasswordForm(PasswordChangeForm):
    def save(self, commit: bool = True) -> User:
        """Write only the password: an account that is switched off at the same moment stays so."""
        user = super().save(commit=False)
        if commit:
            user.save(update_fields=["password"])
        return user


class ChangePassword(PasswordChangeView):
    """Every other place where this user is signed in is signed out by it."""

    form_class = NewPasswordForm
    template_name = "accounts/password.html"
    success_url = reverse_lazy("settings")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, _t("Your password is changed. Other devices have to sign in again."))
        with audited([signed_in(self.request)]):
            return super().form_valid(form)
