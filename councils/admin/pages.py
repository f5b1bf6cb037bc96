"""Pages of the admin that are neither a list nor a form."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse


def page(admin: ModelAdmin[Any], request: HttpRequest, template: str, title: str, /, **context: Any) -> TemplateResponse:
    """A template below ``templates/admin/councils/`` with what every page of the admin has around it."""
    around = {**admin.admin_site.each_context(request), "opts": admin.opts, "title": title}
    return TemplateResponse(request, f"admin/councils/{template}", {**around, **context})


def number_from(text: str | None) -> int:
    """A primary key out of an address or a form; 0, which no row has, for anything else."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else 0


def numbers_from(texts: list[str]) -> list[int]:
    return [number for text in texts if (number := number_from(text))]
