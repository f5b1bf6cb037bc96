"""Changing the key that stored secrets are sealed with."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from councils.models import CouncilRun, Provider
from councils.models.crypto import UnreadableSecret, reseal
from councils.services.auditing import audited


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many rows were sealed anew."""

    providers: int
    runs: int


def rotate_keys() -> Rotated:
    """Seal the keys of all providers, and those that live runs carry, under the first key of the ring.

    Raises ``UnreadableSecret``, which names the provider, where a secret fits no key of the ring; then nothing has changed.
    """
    names = dict(Provider.objects.values_list("pk", "name"))
    with transaction.atomic():
        # Runs are locked before providers, as by the runner: it moves a run, then notes that its provider works.
        runs = _seal_runs(names)
        providers = _seal_providers()
    # Whatever began meanwhile carries a key as it was before.
    with transaction.atomic():
        meanwhile = _seal_runs(names, besides=runs)
    return Rotated(providers, len(runs) + len(meanwhile))


def _seal_runs(names: dict[int, str], *, besides: Collection[int] = ()) -> list[int]:
    """Seal what live runs carry; one that has ended carries no key any more. Returns which runs had one."""
    live = CouncilRun.objects.live().exclude(pk__in=besides).select_for_update().order_by("pk").only("pk", "sealed_keys")
    runs = [run for run in live if run.sealed_keys]
    for run in runs:
        sealed = run.sealed_keys.items()
        run.sealed_keys = {provider: _seal(secret, names.get(int(provider), provider)) for provider, secret in sealed}
        run.save(update_fields=["sealed_keys"])
    return [run.pk for run in runs]


def _seal_providers() -> int:
    providers = Provider.objects.select_for_update().exclude(api_key_sealed="").order_by("pk")
    with audited(providers, note="The same key, sealed under another key of the ring."):
        for provider in providers:
            provider.api_key_sealed = _seal(provider.api_key_sealed, provider.name)
            provider.save(update_fields=["api_key_sealed"])
    return len(providers)


def _seal(secret: str, provider: str) -> str:
    try:
        return reseal(secret)
    except UnreadableSecret as error:
        raise UnreadableSecret(f"{provider}: {error}") from None
