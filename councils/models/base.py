"""What several aggregates share."""

import base64
import secrets

from django.core.validators import RegexValidator
from django.db import models

PUBLIC_ID_LENGTH = 26

agent_id_validator = RegexValidator(r"\A[a-z][a-z0-9_]{0,31}\Z", "Use lower-case letters, digits and underscores, for instance agent_1.")


def new_public_id() -> str:
    """128 random bits as 26 lower-case letters and digits: safe in addresses, says nothing about the row's number."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


class PublicIdModel(models.Model):
    """A row that people and programs name by a random id, never by its primary key."""

    public_id = models.CharField(max_length=PUBLIC_ID_LENGTH, unique=True, default=new_public_id, editable=False)

    class Meta:
        abstract = True


class TimestampedModel(models.Model):
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
