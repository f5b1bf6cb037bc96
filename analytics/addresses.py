"""Where the lists behind figures are."""

from collections.abc import Iterable
from datetime import date
from functools import cache, lru_cache

from django.urls import reverse
from django.utils.http import urlencode

from analytics.days import DAY
from analytics.rollup import ERRORS


def runs(**filters: str | int) -> str:
    """Runs that people were given: trials of drafts are in no figure."""
    return _list("councilrun", {"trial__exact": 0, **filters})


def calls(**filters: str | int) -> str:
    return _list("modelcall", filters)


def hours(day: date, provider: str, model: str) -> str:
    """What a model did, hour by hour, from this day on."""
    chosen = {"hour__gte": _moment(day), "model_name__exact": model, "provider_name__exact": provider}
    return f"{reverse('admin:analytics_modelanalytics_changelist')}?{urlencode(chosen)}"


def since(day: date) -> dict[str, str | int]:
    return {"created_at__gte": _moment(day)}


def on(day: date) -> dict[str, str | int]:
    return since(day) | {"created_at__lt": _moment(day + DAY)}


def of_errors(kinds: Iterable[str]) -> dict[str, str | int]:
    """Calls that failed in one of these ways. What has no kind is counted as unknown."""
    stored = ["" if kind == "unknown" else kind for kind in kinds]
    chosen: dict[str, str | int] = {"error_kind__exact": stored[0]} if len(stored) == 1 else {"error_kind__in": ",".join(stored)}
    return chosen | {"status__in": ",".join(sorted(ERRORS))}


def _moment(day: date) -> str:
    """The first moment of a day, UTC, as short as the admin reads it: a page has hundreds."""
    return f"{day}T00:00Z"


def _list(model: str, filters: dict[str, str | int]) -> str:
    address = _base(model)
    return f"{address}?{'&'.join(_pair(name, value) for name, value in filters.items())}" if filters else address


@lru_cache(maxsize=4096)
def _pair(name: str, value: str | int) -> str:
    """One filter of an address. The same days and models are named hundreds of times on a page."""
    return urlencode({name: value})


@cache
def _base(model: str) -> str:
    return reverse(f"admin:councils_{model}_changelist")
