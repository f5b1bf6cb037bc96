"""Versions of a prompt beside each other, and putting one into use: a newer one, or an earlier one again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html

from councils.admin.differences import difference
from councils.admin.pages import number_from, numbers_from, page
from councils.admin.show import LINK
from councils.engine.prompts import DEFAULT_PROMPTS
from councils.models import CouncilConfiguration, PromptStage, PromptTemplate
from councils.services.prompting import councils_on_other_versions, use_version, version_in

CHANGE_COUNCILS = "councils.change_councilconfiguration"
BUILT_IN = {
    PromptStage.OPINIONS.value: DEFAULT_PROMPTS.opinion,
    PromptStage.REVIEW.value: DEFAULT_PROMPTS.review,
    PromptStage.SYNTHESIS.value: DEFAULT_PROMPTS.synthesis,
}
BUILT_IN_NAME = "built-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that can be compared. ``key`` names it in addresses: a version's number, or the word for the built-in prompt."""

    key: str
    title: str
    text: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A council and the version that it leaves."""

    council: CouncilConfiguration
    before: PromptTemplate


def names(councils: Iterable[CouncilConfiguration]) -> str:
    return ", ".join(council.name for council in councils)


def page_of(template: PromptTemplate) -> str:
    return reverse("admin:councils_prompttemplate_change", args=[template.pk])


def compare(admin: ModelAdmin[PromptTemplate], request: HttpRequest, pk: int) -> HttpResponse:
    """Any two texts of one stage. ``pk`` is the version from which one came; ``from`` and ``to`` choose, else it is the one before it."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    template = get_object_or_404(PromptTemplate, pk=pk)
    texts = _texts(template.stage)
    new = texts.get(request.GET.get("to", ""), texts[str(template.pk)])
    old = texts.get(request.GET.get("from", ""), texts[_before(template)])
    context = {
        "template": template,
        "texts": list(texts.values()),
        "old": old,
        "new": new,
        "difference": difference(old.text, new.text),
    }
    return page(admin, request, "prompttemplate/compare.html", f"{template.name}: versions compared", **context)


def _texts(stage: str) -> dict[str, Text]:
    built_in = Text(key=BUILT_IN_NAME, title="the built-in prompt", text=BUILT_IN[stage])
    rows = PromptTemplate.objects.filter(stage=stage).order_by("name", "-version")
    stored = [Text(key=str(row.pk), title=f"{row.name}, version {row.version}", text=row.text, address=page_of(row)) for row in rows]
    return {text.key: text for text in (*stored, built_in)}


def _before(template: PromptTemplate) -> str:
    earlier = PromptTemplate.objects.filter(stage=template.stage, name=template.name, version__lt=template.version)
    newest = earlier.order_by("-version").first()
    return str(newest.pk) if newest else BUILT_IN_NAME


def is_first(template: PromptTemplate) -> bool:
    return _before(template) == BUILT_IN_NAME


def use(admin: ModelAdmin[PromptTemplate], request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then put a version into use in the councils that were ticked on its page."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm(CHANGE_COUNCILS):
        raise PermissionDenied
    template = get_object_or_404(PromptTemplate, pk=pk)
    ids = numbers_from(request.POST.getlist("council"))
    moves = moves_to(template, ids)
    if not moves:
        messages.warning(request, "Nothing changed: no council was chosen that uses another version.")
        return redirect(page_of(template))
    if "confirmed" not in request.POST:
        return _ask(admin, request, template, moves)
    moved = use_version(template=template, council_ids=ids)
    admin.log_change(request, template, f"Put into use in {names(moved)}.")
    _tell(request, template, moves, moved)
    return redirect(page_of(template))


def moves_to(template: PromptTemplate, council_ids: Sequence[int]) -> list[Move]:
    """What would change if these councils were moved to this version."""
    columns = ("stage1_prompt_template", "stage2_prompt_template", "stage3_prompt_template")
    councils = councils_on_other_versions(template).filter(pk__in=council_ids).select_related(*columns)
    found = ((council, version_in(council, template.stage)) for council in councils)
    return [Move(council=council, before=before) for council, before in found if before is not None]


def is_rollback(template: PromptTemplate, moves: Sequence[Move]) -> bool:
    """Whether all of them go back to an earlier version."""
    return all(move.before.version > template.version for move in moves)


def _ask(admin: ModelAdmin[PromptTemplate], request: HttpRequest, template: PromptTemplate, moves: Sequence[Move]) -> HttpResponse:
    back = is_rollback(template, moves)
    before = {move.before.pk: move.before for move in moves}.values()
    context = {
        "template": template,
        "moves": moves,
        "is_rollback": back,
        "verb": "Roll back to" if back else "Publish",
        "differences": [(earlier, difference(earlier.text, template.text)) for earlier in before],
    }
    return page(admin, request, "prompttemplate/use.html", f"{context['verb']} version {template.version} of {template.name}", **context)


def _tell(request: HttpRequest, template: PromptTemplate, moves: Sequence[Move], moved: Sequence[CouncilConfiguration]) -> None:
    where = f"Version {template.version} is now in use in {names(moved)}. This counts from the next run on."
    earlier = {move.before.pk: move.before for move in moves}
    if len(earlier) > 1:
        messages.success(request, where)
        return
    before = next(iter(earlier.values()))
    link = '{} <a href="{}" class="{}">Version {} is kept: open it to go back.</a>'
    messages.success(request, format_html(link, where, page_of(before), LINK, before.version))


def template_named(text: str | None) -> PromptTemplate | None:
    """The version with this primary key, as an address names it."""
    return PromptTemplate.objects.filter(pk=number_from(text)).first()
