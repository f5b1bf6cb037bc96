"""Making a new site usable: somebody who can sign in, and a council that answers. Doing it again changes nothing."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from councils.models import CouncilConfiguration, Provider, User
from councils.services.auditing import record_created
from councils.services.configuration import apply_configuration
from councils.services.starter import ListModels, starter_for
from councils.services.starter_documents import LOCAL_SLUG, local_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """Who can sign in to the admin. ``password`` is there only when it was made up now; it cannot be had again."""

    username: str
    is_new: bool
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Council:
    """The default council. ``notes`` are sentences on what could not be used to make it."""

    name: str
    seats: tuple[str, ...]
    models: tuple[str, ...]
    is_new: bool
    notes: tuple[str, ...] = ()


def ensure_admin(*, username: str, password: str | None) -> Admin:
    """A superuser of this name, unless there is one already. Without a password a random one is made. Nobody's password is changed."""
    there = User.objects.filter(is_superuser=True, is_active=True)
    existing = there.filter(username=username).first() or (None if password else there.order_by("pk").first())
    if existing is not None:
        return Admin(username=existing.username, is_new=False)
    made_up = None if password else secrets.token_urlsafe(12)
    user = User(username=username, is_staff=True, is_superuser=True)
    user.set_password(password or made_up)
    user.full_clean()
    with transaction.atomic():
        user.save()
        record_created(user)
    return Admin(username=username, is_new=True, password=made_up)


@transaction.atomic
def ensure_council(*, environment: Mapping[str, str], local_port: int, serves_local: bool = True, ask: ListModels | None = None) -> Council:
    """The default council; made from what the environment offers where there is no council at all.

    Unless this site ``serves_local``, none is put on the small local model: it could never answer.
    """
    if CouncilConfiguration.objects.exists():
        _follow_local_port(local_port)
        return _describe(is_new=False)
    starter = starter_for(environment, local_port=local_port if serves_local else None, ask=ask)
    if starter.document is None:
        return Council(name="", seats=(), models=(), is_new=False, notes=starter.notes)
    apply_configuration(starter.document)
    return _describe(is_new=True, notes=starter.notes)


def needs_local_model() -> bool:
    """Whether any model of the small local server is in use, so that the serving command must start it."""
    return Provider.objects.active().filter(slug=LOCAL_SLUG, served_models__is_active=True).exists()


def _follow_local_port(port: int) -> None:
    """Take over a changed LOCAL_MODEL_PORT: the server listens where the provider says."""
    if Provider.objects.filter(slug=LOCAL_SLUG).exists():
        apply_configuration({"providers": [{"slug": LOCAL_SLUG, "base_url": local_provider(port)["base_url"]}]})


def _describe(*, is_new: bool, notes: tuple[str, ...] = ()) -> Council:
    council = CouncilConfiguration.objects.active().with_details().first()
    if council is None:
        return Council(name="", seats=(), models=(), is_new=is_new, notes=("Every council is switched off. Switch one on in the admin.",))
    members = council.members.all()
    models = dict.fromkeys(member.model.display_name for member in members)
    return Council(name=council.name, seats=tuple(member.name for member in members), models=tuple(models), is_new=is_new, notes=notes)
