"""Keys with which programs come in, in the name of a user."""

from datetime import datetime

from django.db import transaction

from councils.models import ApiKey, User
from councils.services.auditing import audited, record_created


@transaction.atomic
def issue_key(*, user: User, name: str, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """A new key and its text, which cannot be had again."""
    key, text = ApiKey.issue(user=user, name=name)
    if expires_at is not None:
        key.expires_at = expires_at
        key.save(update_fields=["expires_at"])
    record_created(key)
    return key, text


def revoke_key(*, key: ApiKey) -> bool:
    """Stop accepting a key. ``False``: it was revoked before, and keeps that date."""
    if key.revoked_at is not None:
        return False
    with audited([key]):
        key.revoke()
    return True
