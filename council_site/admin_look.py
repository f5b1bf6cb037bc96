"""How the admin looks and what its side bar holds (django-unfold's ``UNFOLD`` setting)."""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.functional import lazy
from django.utils.text import capfirst


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        app, _, name = model.partition(".")
        return request.user.has_perm(f"{app}.view_{name}")

    return allowed


def _name(model: str) -> str:
    """As its own pages call it: one name for one thing."""
    return str(capfirst(apps.get_model(model)._meta.verbose_name_plural))


def _item(model: str, icon: str) -> dict[str, Any]:
    return {
        "title": lazy(_name, str)(model),
        "icon": icon,
        "link": reverse_lazy(f"admin:{model.replace('.', '_')}_changelist"),
        "permission": _may_view(model),
    }


def _needing_attention(_request: HttpRequest) -> str:
    return f"{reverse('admin:councils_councilrun_changelist')}?attention=needed"


def _is_attention(request: HttpRequest) -> bool:
    return "attention" in request.GET


def _icon(_request: HttpRequest) -> str:
    return static("councils/icon.svg")


def _stylesheet(_request: HttpRequest) -> str:
    return static("admin/council.css")


def _office(_request: HttpRequest) -> str:
    return static("admin/office.css")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "LLM Council",
    "SITE_HEADER": "LLM Council",
    "SITE_SYMBOL": "groups",
    "SITE_URL": "/",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "SHOW_BACK_BUTTON": True,
    "STYLES": [_stylesheet, _office],
    "DASHBOARD_CALLBACK": "analytics.dashboard.dashboard",
    "COLORS": {
        "primary": {
            "50": "oklch(97.7% .013 236.6)",
            "100": "oklch(95.1% .026 236.8)",
            "200": "oklch(90.1% .058 230.9)",
            "300": "oklch(82.8% .111 230.3)",
            "400": "oklch(74.6% .16 232.7)",
            "500": "oklch(68.5% .169 237.3)",
            "600": "oklch(50% .134 242.7)",
            "700": "oklch(44.3% .11 240.8)",
            "800": "oklch(39.1% .09 240.9)",
            "900": "oklch(29.3% .066 243.2)",
            "950": "oklch(22% .05 243.2)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        # In the order in which staff think. What is rarely looked at is folded.
        "navigation": [
            {
                "items": [
                    {"title": "Today", "icon": "dashboard", "link": reverse_lazy("admin:index")},
                    {
                        "title": "Runs that need attention",
                        "icon": "flag",
                        "link": _needing_attention,
                        "active": _is_attention,
                        "permission": _may_view("councils.councilrun"),
                    },
                ]
            },
            {
                "title": "Councils",
                "separator": True,
                "items": [
                    _item("councils.councilconfiguration", "groups"),
                    _item("councils.councildraft", "draft"),
                    _item("councils.trial", "science"),
                    _item("councils.prompttemplate", "edit_note"),
                    _item("councils.questionset", "quiz"),
                ],
            },
            {
                "title": "Providers and models",
                "separator": True,
                "items": [_item("councils.provider", "cloud"), _item("councils.modelinfo", "neurology")],
            },
            {
                "title": "Runs",
                "separator": True,
                "items": [
                    _item("councils.councilrun", "forum"),
                    _item("councils.conversation", "inbox"),
                    _item("councils.feedback", "thumbs_up_down"),
                ],
            },
            {
                "title": "Money",
                "separator": True,
                "items": [
                    _item("councils.budget", "savings"),
                    {
                        "title": "Usage",
                        "icon": "payments",
                        "link": reverse_lazy("admin:analytics_modelanalytics_usage"),
                        "permission": _may_view("analytics.modelanalytics"),
                    },
                    _item("councils.modelcall", "receipt_long"),
                    _item("councils.ledgerentry", "account_balance"),
                    _item("councils.modelprice", "sell"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _item("councils.user", "person"),
                    _item("auth.group", "group"),
                    _item("councils.apikey", "key"),
                    _item("councils.auditentry", "history"),
                ],
            },
            {
                "title": "Parts of runs, sums of them",
                "separator": True,
                "collapsible": True,
                "items": [
                    _item("councils.opinion", "chat"),
                    _item("councils.review", "how_to_vote"),
                    _item("councils.synthesis", "summarize"),
                    _item("councils.runevent", "timeline"),
                    _item("councils.message", "mail"),
                    _item("councils.answerpick", "ads_click"),
                    _item("analytics.modelanalytics", "monitoring"),
                    _item("analytics.conversationanalytics", "query_stats"),
                ],
            },
            {
                "title": "System",
                "separator": True,
                "collapsible": True,
                "items": [
                    {"title": "API documentation", "icon": "api", "link": reverse_lazy("api:docs")},
                    _item("councils.cachedresponse", "bolt"),
                    _item("councils.ratelimitlog", "speed"),
                    _item("councils.healthrecord", "monitor_heart"),
                    _item("councils.enginesign", "memory"),
                    _item("councils.scheduledjob", "task_alt"),
                    _item("django_celery_beat.periodictask", "schedule"),
                    _item("django_celery_beat.intervalschedule", "timer"),
                    _item("django_celery_beat.crontabschedule", "calendar_month"),
                ],
            },
        ],
    },
}
