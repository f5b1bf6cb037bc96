"""Sets of questions for trying councils."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from councils.admin.base import ProductAdmin, RowInline, display, register
from councils.models import QuestionSet, SavedQuestion
from councils.services.asking import clean_question
from councils.services.errors import Rejected


class QuestionForm(ModelForm[SavedQuestion]):
    """A question that a council would take."""

    def clean_text(self) -> str:
        try:
            return clean_question(self.cleaned_data["text"])
        except Rejected as refused:
            raise ValidationError(refused.message) from refused


class QuestionInline(RowInline[SavedQuestion, QuestionSet]):
    model = SavedQuestion
    form = QuestionForm
    fields = ("position", "text")
    ordering_field = "position"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "text" and field is not None:
            field.widget.attrs["rows"] = 3
        return field

    def get_extra(self, request: HttpRequest, obj: QuestionSet | None = None, **kwargs: Any) -> int:
        return 0 if obj else 3


@register(QuestionSet)
class QuestionSetAdmin(ProductAdmin[QuestionSet]):
    list_display = ("name", "questions", "description", "updated_at")
    search_fields = ("name", "description")
    inlines = (QuestionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[QuestionSet]:
        return super().get_queryset(request).annotate(question_count=Count("questions"))

    @display(description="questions", ordering="question_count")
    def questions(self, row: QuestionSet) -> int:
        return int(getattr(row, "question_count", 0))
