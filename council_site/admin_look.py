"""How the admin looks and what its side bar holds (django-unfold's ``UNFOLD`` setting)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        app, _, name = model.partition(".")
        return request.user.has_perm(f"{app}.view_{name}")

    return allowed


def _item(title: str, model: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model.replace('.', '_')}_changelist"),
        "permission": _may_view(model),
    }


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
        "navigation": [
            {"items": [{"title": "Today", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
            {
                "title": "Set up",
                "separator": True,
                "items": [
                    _item("Councils", "councils.councilconfiguration", "groups"),
                    _item("Drafts", "councils.councildraft", "draft"),
                    _item("Prompts", "councils.prompttemplate", "edit_note"),
                    _item("Models", "councils.modelinfo", "neurology"),
                    _item("Providers", "councils.provider", "cloud"),
                    _item("Question sets", "councils.questionset", "quiz"),
                    _item("Trials", "councils.trial", "science"),
                ],
            },
            {
                "title": "Watch",
                "separator": True,
                "items": [
                    _item("Runs", "councils.councilrun", "forum"),
                    _item("Opinions", "councils.opinion", "chat"),
                    _item("Reviews", "councils.review", "how_to_vote"),
                    _item("Syntheses", "councils.synthesis", "summarize"),
                    _item("Events", "councils.runevent", "timeline"),
                    _item("Conversations", "councils.conversation", "inbox"),
                    _item("Messages", "councils.message", "mail"),
                    _item("Feedback", "councils.feedback", "thumbs_up_down"),
                    _item("Picks", "councils.answerpick", "ads_click"),
                    _item("Cache", "councils.cachedresponse", "bolt"),
                    _item("Limits", "councils.ratelimitlog", "speed"),
                ],
            },
            {
                "title": "Money",
                "separator": True,
                "items": [
                    _item("Budgets", "councils.budget", "savings"),
                    _item("Calls", "councils.modelcall", "receipt_long"),
                    _item("Ledger", "councils.ledgerentry", "account_balance"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _item("Users", "councils.user", "person"),
                    _item("Groups", "auth.group", "group"),
                    _item("API keys", "councils.apikey", "key"),
                    _item("Changes", "councils.auditentry", "history"),
                ],
            },
            {
                "title": "Schedule",
                "separator": True,
                "collapsible": True,
                "items": [
                    _item("Periodic tasks", "django_celery_beat.periodictask", "schedule"),
                    _item("Intervals", "django_celery_beat.intervalschedule", "timer"),
                    _item("Crontabs", "django_celery_beat.crontabschedule", "calendar_month"),
                    _item("Jobs without a broker", "councils.scheduledjob", "task_alt"),
                    _item("Engines", "councils.enginesign", "memory"),
                    _item("Health", "councils.healthrecord", "monitor_heart"),
                ],
            },
        ],
    },
}
