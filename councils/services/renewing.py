"""The configuration of a run that goes on from an earlier one: its rules of then, its models as they are today."""

from collections.abc import Sequence
from dataclasses import replace

from django.utils.translation import gettext as _

from councils.engine.carrying import Carried
from councils.engine.types import Seat
from councils.models import ModelInfo
from councils.snapshot import ModelTarget, Snapshot, model_key


class GoneModels(Exception):
    """``names`` are the seats that may be asked for something and have no model left, as people call them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        super().__init__(", ".join(names))


def renewed(snapshot: Snapshot, carried: Carried) -> Snapshot:
    """Who is asked, by which prompts and rules, is as ``carried`` says; addresses, keys, prices and what is switched off are today's.

    A seat whose model is switched off speaks by its fallback. Raises ``GoneModels`` where a seat that may be asked has none left, or no
    chairman has. Seats of which nothing is asked any more keep their models of then, which pages show.
    """
    wanted = [target.model_id for target in snapshot.models.values()]
    usable = ModelInfo.objects.usable().filter(pk__in=wanted).select_related("provider")
    today = {model_key(model): ModelTarget.of(model) for model in usable}
    if gone := _gone(carried, today):
        raise GoneModels(gone)
    seats = tuple(_renewed_seat(seat, today) if seat.agent_id in carried.seats else seat for seat in carried.spec.seats)
    spec = replace(carried.spec, seats=seats, chairman=_chairmen(carried, today))
    return Snapshot(spec=spec, models={**snapshot.models, **today})


def _gone(carried: Carried, today: dict[str, ModelTarget]) -> list[str]:
    """Who may be asked for something and has no model left."""
    gone = [seat.name for seat in carried.spec.seats if seat.agent_id in carried.seats and not _models(seat, today)]
    if carried.spec.chairman and not _chairmen(carried, today):
        gone.append(_("the chairman"))
    return gone


def _chairmen(carried: Carried, today: dict[str, ModelTarget]) -> tuple[str, ...]:
    return tuple(key for key in carried.spec.chairman if key in today)


def _models(seat: Seat, today: dict[str, ModelTarget]) -> list[str]:
    return [key for key in (seat.model, *seat.fallbacks) if key in today]


def _renewed_seat(seat: Seat, today: dict[str, ModelTarget]) -> Seat:
    first, *rest = _models(seat, today)
    return replace(seat, model=first, fallbacks=tuple(rest))
