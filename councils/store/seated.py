"""The models that councils would ask now, as metrics name them."""

from django.db.models import Q

from councils.models import CouncilConfiguration, CouncilMember, ModelInfo

MOST_SEATED = 200
"""More than that need not be known before they are asked."""


def seated_models() -> list[tuple[str, str]]:
    """Each model that has a seat, stands in for one or presides, with its provider's short name."""
    seats = CouncilMember.objects.order_by()
    has_seat = Q(pk__in=seats.values("model")) | Q(pk__in=seats.exclude(fallback_model=None).values("fallback_model"))
    presides = Q(pk__in=CouncilConfiguration.objects.order_by().values("chairman_model"))
    rows = ModelInfo.objects.usable().filter(has_seat | presides).order_by("pk")
    return list(rows.values_list("name", "provider__slug")[:MOST_SEATED])
