"""The switches of providers and models."""

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import ModelForm

from councils.services.configuration import secret_names


class OptionsForm(ModelForm[Any]):
    """Options are shown and exported, so no secret may hide in them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "options" in self.fields:
            self.fields["options"].widget.attrs["rows"] = 3

    def clean_options(self) -> Any:
        options = self.cleaned_data["options"]
        if not isinstance(options, dict):
            raise ValidationError('Give an object, for instance {"top_p": 0.9}.')
        if any(secret_names(options)):
            raise ValidationError("Secrets do not belong in the options: the provider's key has a field of its own.")
        return options
