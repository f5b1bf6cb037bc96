"""Who changed what, with the values before and after. Written once, never changed."""

from typing import Any, NoReturn

from django.db import models
from django.db.models import Q

from councils.acting import Door
from councils.models.user import User


class AppendOnly(Exception):
    """Entries of the audit trail are never changed or deleted."""


class AuditVerb(models.TextChoices):
    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"
    DID = "did", "Did"


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Adds and reads."""

    def update(self, **_values: Any) -> NoReturn:
        raise AppendOnly(AppendOnly.__doc__)

    def delete(self) -> NoReturn:
        raise AppendOnly(AppendOnly.__doc__)

    def of(self, kind: str, object_id: object) -> "AuditQuerySet":
        """What happened to one record."""
        return self.filter(kind=kind, object_id=str(object_id))


class AuditEntry(models.Model):
    """One change of one record.

    ``changes`` maps fields to the values before and after as people read them; of a secret it only says that it was changed. Names are
    kept as they were: the actor and the record may be renamed or deleted later.
    """

    at = models.DateTimeField("time", auto_now_add=True)
    # The entry outlives the account and is not touched when that goes.
    actor = models.ForeignKey(User, on_delete=models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+")
    actor_name = models.CharField("who", max_length=150)
    door = models.CharField("through", max_length=10, choices=[(d.value, d.value) for d in Door])
    verb = models.CharField("what", max_length=10, choices=AuditVerb.choices)
    kind = models.CharField(max_length=100)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField("record", max_length=200)
    changes = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = "change"
        indexes = [
            models.Index(fields=["kind", "object_id", "-id"], name="audit_of_record"),
            models.Index(fields=["actor_name", "-id"], name="audit_by_actor"),
            models.Index(fields=["-at"], name="audit_recent"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(verb__in=AuditVerb.values), name="audit_verb_known"),
            models.CheckConstraint(condition=Q(door__in=[d.value for d in Door]), name="audit_door_known"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.verb} {self.object_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly(AppendOnly.__doc__)
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise AppendOnly(AppendOnly.__doc__)
