"""How far the roll-ups have come."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q


class MarkQuerySet(models.QuerySet["AggregationMark"]):
    def locked(self) -> "AggregationMark":
        """The one row, held until the transaction ends: so roll-ups that are made twice at once are made one after the other."""
        self.get_or_create(pk=1)
        return self.select_for_update().get(pk=1)

    def advance(self, *, changes_until: datetime, sealed_until: datetime) -> None:
        """Never back: whoever began later knows more."""
        self.get_or_create(pk=1)
        self.filter(Q(changes_until=None) | Q(changes_until__lt=changes_until)).update(changes_until=changes_until)
        self.filter(Q(sealed_until=None) | Q(sealed_until__lt=sealed_until)).update(sealed_until=sealed_until)
        day = sealed_until.astimezone(UTC).date()
        self.filter(Q(usage_until=None) | Q(usage_until__lt=day)).update(usage_until=day)


class AggregationMark(models.Model):
    """One row. Changes before ``changes_until`` are in the roll-ups; hours before ``sealed_until`` can be read from them.

    Days of usage before ``usage_until`` can be read too; empty until they were all made once.
    """

    changes_until = models.DateTimeField(null=True, blank=True)
    sealed_until = models.DateTimeField(null=True, blank=True)
    usage_until = models.DateField(null=True, blank=True)

    objects = MarkQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="mark_only_one")]

    def __str__(self) -> str:
        return f"sealed until {self.sealed_until}"
