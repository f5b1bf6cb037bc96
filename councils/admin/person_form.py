"""The form of a person: roles in words with what they allow."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import Group

from councils.admin.base import CheckboxList, UserChangeForm
from councils.services.roles import in_words

if TYPE_CHECKING:
    GroupChoice = forms.ModelMultipleChoiceField[Group]
else:
    GroupChoice = forms.ModelMultipleChoiceField


class RoleChoice(GroupChoice):
    """Names each group with what it allows."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name}: {in_words(obj)}"


class PersonForm(UserChangeForm):
    """A person's account. Whoever works in the admin needs the staff switch and a role; superusers need no role."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
