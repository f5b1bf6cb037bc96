"""The form of a person: roles in words with what they allow."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import password_validators_help_texts
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from councils.admin.base import CheckboxList, UserChangeForm, UserCreationForm
from councils.services.roles import in_words

if TYPE_CHECKING:
    GroupChoice = forms.ModelMultipleChoiceField[Group]
else:
    GroupChoice = forms.ModelMultipleChoiceField


class RoleChoice(GroupChoice):
    """Names each group with what it allows."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name}: {in_words(obj)}"


class PasswordState(forms.Widget):
    """Whether there is a password. How it is stored is nothing that anybody decides by."""

    read_only = True

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        said = "is set" if value and is_password_usable(value) else "none: nobody can sign in to this account"
        return format_html('<p class="readonly">{}</p>', said)

    def id_for_label(self, id_: str | None) -> str:
        return ""


class NewPersonForm(UserCreationForm):
    """A name and a first password. There is no other way to sign in, so that nothing is asked about that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)
        # The rules speak to the person. It is somebody else who reads them here.
        rules = (rule.replace("Your password", "It").replace("your other personal information", "their name") for rule in _rules())
        self.fields["password1"].help_text = format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((rule,) for rule in rules)))


def _rules() -> list[str]:
    return [str(rule) for rule in password_validators_help_texts()]


class PersonForm(UserChangeForm):
    """A person's account. Whoever works in the admin needs the staff switch and a role; superusers need no role."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "password" in self.fields:
            self.fields["password"].widget = PasswordState()
            link = '<a href="{}" class="office-link">Set another one</a>'
            self.fields["password"].help_text = format_html(link, f"../../{self.instance.pk}/password/")
        # Those who may not give roles away see them as text.
        if "groups" in self.fields:
            self.fields["groups"] = RoleChoice(
                label="Roles",
                queryset=Group.objects.prefetch_related("permissions").order_by("name"),
                required=False,
                widget=CheckboxList(),
                help_text="What somebody may do in the admin. It counts only with “Staff status”. Superusers may do everything.",
            )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("groups") and not (cleaned.get("is_staff") or cleaned.get("is_superuser")):
            self.add_error("groups", "A role lets nobody in without “Staff status”. Switch that on, or take the role away.")
        return cleaned
