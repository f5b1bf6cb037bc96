"""What has to be done after a backup was put in the place of the database."""

from dataclasses import dataclass

from councils.models import Provider
from councils.models.crypto import UnreadableSecret, unseal
from councils.services.holding import hold_live_runs


@dataclass(frozen=True, slots=True)
class Restored:
    """``held`` runs wait for staff. ``unreadable`` are providers whose stored key fits no key of the ring."""

    held: int
    unreadable: list[str]


def settle_after_restore() -> Restored:
    """Hold the runs that were in flight, and see whether the keys of providers can be read."""
    held = hold_live_runs()
    sealed = Provider.objects.exclude(api_key_sealed="").order_by("name").values_list("name", "api_key_sealed")
    return Restored(held, [name for name, secret in sealed if not _is_readable(secret)])


def _is_readable(secret: str) -> bool:
    try:
        unseal(secret)
    except UnreadableSecret:
        return False
    return True
