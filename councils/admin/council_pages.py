"""What stands around the form of a council: where else to look, putting councils away and taking them back."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from councils.admin.pages import numbers_from, page
from councils.admin.show import LINK, list_address
from councils.models import Budget, CouncilConfiguration, CouncilDraft, CouncilRun, Trial
from councils.services.curating import DEFAULT_STAYS_HERE, put_away, take_back

CHANGE = "councils.change_councilconfiguration"
LIST = "admin:councils_councilconfiguration_changelist"


def address(name: str, councils: Iterable[int]) -> str:
    """The page that does this with these councils, after it has asked."""
    return f"{reverse(f'admin:councils_councilconfiguration_{name}')}?{urlencode([('id', pk) for pk in councils])}"


def beside(request: HttpRequest, council: CouncilConfiguration | None) -> list[tuple[str, str]]:
    """Links from a stored council to what belongs to it, as far as this person may look at that."""
    if council is None or council.pk is None:
        return []
    return [(text, where) for right, text, where in _places(council) if request.user.has_perm(f"councils.{right}")]


def _places(council: CouncilConfiguration) -> Iterator[tuple[str, str, str]]:
    """What it takes to look there, what it is called, and where it is."""
    of_it = {"council__id__exact": council.pk}
    drafts, budgets = council.drafts.open().count(), Budget.objects.filter(council=council).count()
    yield "add_trial", "Try it…", reverse("admin:councils_councilconfiguration_try", args=[council.pk])
    yield "view_councildraft", f"Drafts ({drafts})", list_address(CouncilDraft, **of_it, state="open")
    yield "view_trial", "Trials", list_address(Trial, **of_it)
    yield "view_councilrun", "Its runs", list_address(CouncilRun, **of_it)
    yield "view_budget", f"Budgets ({budgets})", list_address(Budget, **of_it)
    yield "add_budget", "Add a budget", f"{reverse('admin:councils_budget_add')}?council={council.pk}"
    what, text = ("archive", "Archive…") if council.archived_at is None else ("restore", "Take back…")
    yield "change_councilconfiguration", text, address(what, [council.pk])


def in_short(council: CouncilConfiguration) -> dict[str, str]:
    """What the folded sections of the form hold, by their titles; a section that still lacks something is left out."""
    review = "anonymous review" if council.peer_review_anonymous else "open review"
    prompts = [council.stage1_prompt_template, council.stage2_prompt_template, council.stage3_prompt_template]
    own = ", ".join(str(prompt) for prompt in prompts if prompt)
    chairman = {"Who writes the result": f"{council.chairman_model}, {council.chairman_mode.replace('_', ' ')}"} if council.pk else {}
    return {
        **chairman,
        "How they vote": f"{council.get_voting_system_display()}, {review if council.enable_peer_review else 'no review'}",
        "What they are told": own or "The built-in prompts",
        "Limits": f"{council.min_models} seats to start, quorum {council.quorum}, {council.run_deadline_s} s for a run",
    }


def archive(admin: ModelAdmin[CouncilConfiguration], request: HttpRequest) -> HttpResponse:
    """Ask, then put councils away. The message leads to the way back."""
    councils = _chosen(request).filter(archived_at=None)
    stay = councils.filter(is_default=True)
    going = councils.filter(is_default=False)
    if request.method == "POST" and going:
        ids = list(going.values_list("pk", flat=True))
        with transaction.atomic():
            done = put_away(councils)
            _note(admin, request, going, "Archived.")
        said = format_html(
            '{} archived. <a href="{}" class="{}">Take back what was archived</a>', _count(done.changed), address("restore", ids), LINK
        )
        messages.success(request, said)
        return redirect(LIST)
    context: dict[str, Any] = {
        "councils": list(going),
        "stay": [f"{council.name}: {DEFAULT_STAYS_HERE}" for council in stay],
        "says": "Nobody can ask them then, and the list leaves them out. Their runs and budgets stay, and you can take them back.",
        "verb": "Archive",
    }
    return page(admin, request, "councilconfiguration/shelve.html", "Archive councils", **context)


def restore(admin: ModelAdmin[CouncilConfiguration], request: HttpRequest) -> HttpResponse:
    """Ask, then take councils back."""
    councils = _chosen(request).exclude(archived_at=None)
    if request.method == "POST" and councils:
        with transaction.atomic():
            back = take_back(councils)
            _note(admin, request, councils, "Taken back from the archive.")
        messages.success(request, f"{_count(back)} taken back.")
        return redirect(LIST)
    context: dict[str, Any] = {
        "councils": list(councils),
        "stay": [],
        "says": "They will be on or off as they were before.",
        "verb": "Take back",
    }
    return page(admin, request, "councilconfiguration/shelve.html", "Take councils back", **context)


def _chosen(request: HttpRequest) -> QuerySet[CouncilConfiguration]:
    """The councils that the address names. Only for those who may change councils."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    return CouncilConfiguration.objects.filter(pk__in=numbers_from(request.GET.getlist("id"))).order_by("name")


def _note(admin: ModelAdmin[CouncilConfiguration], request: HttpRequest, councils: QuerySet[CouncilConfiguration], what: str) -> None:
    for council in councils:
        admin.log_change(request, council, what)


def _count(number: int) -> str:
    return f"{number} council{'' if number == 1 else 's'}"
