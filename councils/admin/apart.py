"""Rows of one record that must differ in a field, compared with those that somebody else stored since the form was opened."""

from typing import Any

from django.forms import BaseInlineFormSet


class ApartFormSet(BaseInlineFormSet[Any, Any, Any]):
    """Says at its field what another row has already. Django leaves a constraint to the database that names the record of the rows."""

    apart: str
    """The field in which the rows differ."""
    called: str
    """What people call such a row."""
    may_swap = False
    """Whether ``save`` lets stored rows take from each other. Rows are stored one after the other, so by themselves they cannot."""

    def clean(self) -> None:
        if self.instance.pk:
            self._tell_apart()
        super().clean()

    def _tell_apart(self) -> None:
        stored = self.stored_values()
        given_up = {form.instance.pk for form in self.initial_forms if self._gives_up(form)}
        for form in self.forms:
            if form.errors or not form.has_changed() or form.cleaned_data.get("DELETE"):
                continue
            # New rows are stored last.
            free = given_up if self.may_swap or form.instance.pk is None else set()
            mine = self._value(form)
            if any(value == mine for pk, value in stored.items() if pk != form.instance.pk and pk not in free):
                form.add_error(self.apart, f"Another {self.called} of this {self.instance._meta.verbose_name} has this already.")

    def stored_values(self) -> dict[Any, Any]:
        """What the rows hold now, by their keys."""
        kind: Any = self.model
        rows = kind._meta.default_manager.filter(**{self.fk.name: self.instance})
        return dict(rows.values_list("pk", self.apart))

    def _value(self, form: Any) -> Any:
        return getattr(form.instance, form.instance._meta.get_field(self.apart).attname)

    def _gives_up(self, form: Any) -> bool:
        return not form.errors and bool(form.cleaned_data.get("DELETE") or self.apart in form.changed_data)
