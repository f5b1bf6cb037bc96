"""Councils of a configuration document: references to models and prompts, seats by agent id, the default."""

from collections.abc import Iterable, Mapping
from typing import Any

from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate
from councils.services.configuration import fields
from councils.services.configuration.reading import Entry, suggestion
from councils.services.configuration.rows import Log, save_row
from councils.services.curating import DEFAULT_STAYS_ON, make_default

REFERENCES = ("chairman_model", "chairman_fallbacks", "seats", "is_default", *fields.COUNCIL_PROMPTS)


def apply_council(entry: Entry, log: Log) -> None:
    """Create or update one council with its seats and fallbacks. ``is_default`` is left to ``choose_default``."""
    entry.check_names({"slug", *fields.COUNCIL, *REFERENCES})
    slug = entry.text("slug")
    if slug is None:
        return
    council = CouncilConfiguration.objects.filter(slug=slug).first() or CouncilConfiguration(slug=slug, name=slug)
    values = entry.values(CouncilConfiguration, fields.COUNCIL) | _prompts(entry)
    if council.is_default and values.get("is_active") is False:
        # A council that is switched off is no default; whether another one takes its place is seen at the end.
        values["is_default"] = False
    chairman, lacks_chairman = _needed_model(entry, "chairman_model", is_new=council.pk is None)
    values |= chairman
    unchecked = ("is_default", *(("chairman_model",) if lacks_chairman else ()))
    what = f"council {slug}"
    # Without a chairman there is no row, but its faults and those of its seats are found all the same.
    save_row(council, values, entry, what=what, log=log, unchecked=unchecked, store=not lacks_chairman)
    if entry.has("chairman_fallbacks"):
        _apply_fallbacks(council, entry, what, log)
    if entry.has("seats"):
        _apply_seats(council, entry, what, log)


def _needed_model(entry: Entry, field: str, *, is_new: bool) -> tuple[dict[str, ModelInfo], bool]:
    """The value of a reference that a row cannot be without, and whether it is missing. A row that is there keeps what it has."""
    if not is_new and not entry.has(field):
        return {}, False
    model = model_at(entry, field)
    return ({}, True) if model is None else ({field: model}, False)


def model_at(entry: Entry, field: str) -> ModelInfo | None:
    """The model that a field names as ``provider/model``; complains and gives ``None`` where there is none."""
    reference = entry.text(field)
    if reference is None:
        return None
    return _find_model(entry, field, reference)


def _find_model(entry: Entry, field: str, reference: str) -> ModelInfo | None:
    # A slug holds no slash, a model's name may: openrouter/openai/gpt-4.1-mini.
    slug, _, name = reference.partition("/")
    found = ModelInfo.objects.filter(provider__slug=slug, name=name).select_related("provider").first()
    if found is None and not _is_faulty_here(entry, slug, name):
        known = [f"{slug}/{name}" for slug, name in ModelInfo.objects.values_list("provider__slug", "name")]
        how = "" if "/" in reference else " Write it as provider/model."
        entry.blame(f"There is no model {reference}.{how}{suggestion(reference, known)}", field)
    return found


def _is_faulty_here(entry: Entry, slug: str, name: str) -> bool:
    return entry.is_described("models", provider=slug, name=name)


def _prompts(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, stage in fields.COUNCIL_PROMPTS.items():
        if entry.has(field):
            reference = entry.data[field]
            found[field] = None if reference is None else _find_prompt(entry, field, stage, reference)
    return found


def _find_prompt(entry: Entry, field: str, stage: str, reference: object) -> PromptTemplate | None:
    """The newest version of a name, or the one that ``{"name": …, "version": …}`` pins."""
    match reference:
        case str(name):
            found = PromptTemplate.objects.latest_of(stage, name)
        case {"name": str(name), "version": int(version), **rest} if not rest:
            found = PromptTemplate.objects.filter(stage=stage, name=name, version=version).first()
        case _:
            entry.blame('Give the name of a prompt, or {"name": …, "version": …}, or null for the built-in one.', field)
            return None
    if found is None:
        _blame_prompt(entry, field, stage, reference)
    return found


def _blame_prompt(entry: Entry, field: str, stage: str, reference: object) -> None:
    name = str(reference["name"]) if isinstance(reference, dict) else str(reference)
    if entry.is_described("prompts", stage=stage, name=name):
        if isinstance(reference, dict) and not any(problem.startswith("prompts[") for problem in entry.problems):
            entry.blame(f"There is no version {reference['version']} of this prompt.", field)
        return
    known = set(PromptTemplate.objects.filter(stage=stage).values_list("name", flat=True))
    entry.blame(f"There is no such prompt for the stage {stage}.{suggestion(name, known)}", field)


def _apply_fallbacks(council: CouncilConfiguration, entry: Entry, what: str, log: Log) -> None:
    wanted: list[ModelInfo] = []
    before = len(entry.problems)
    for number, reference in enumerate(entry.items("chairman_fallbacks")):
        field = f"chairman_fallbacks[{number}]"
        if not isinstance(reference, str):
            entry.blame("Give a model as provider/model.", field)
        elif (model := _find_model(entry, field, reference)) is not None:
            if model in wanted:
                entry.blame(f"{reference} is there twice.", field)
            wanted.append(model)
    if council.pk is None or len(entry.problems) > before:
        return
    if [fallback.model for fallback in council.chairman_fallbacks.select_related("model")] == wanted:
        return
    council.chairman_fallbacks.all().delete()
    ChairmanFallback.objects.bulk_create(
        ChairmanFallback(council=council, model=model, position=position) for position, model in enumerate(wanted)
    )
    log.append(f"updated {what}: chairman_fallbacks")


def _apply_seats(council: CouncilConfiguration, entry: Entry, what: str, log: Log) -> None:
    """The list is the whole council: seats that it does not name are removed, its order is theirs."""
    there = {member.agent_id: member for member in council.members.all()} if council.pk else {}
    # Places count by their order only: one that is right already is not numbered anew.
    in_order = list(there) == [seat.get("agent_id") for seat in entry.items("seats") if isinstance(seat, dict)]
    named: set[str] = set()
    for position, seat in enumerate(entry.entries("seats")):
        agent_id = seat.text("agent_id")
        if agent_id is None:
            continue
        if agent_id in named:
            seat.blame(f"There is another seat {agent_id}.", "agent_id")
            continue
        named.add(agent_id)
        member = there.get(agent_id) or CouncilMember(council=council, agent_id=agent_id, name=agent_id)
        _apply_seat(member, seat, None if in_order else position, f"seat {agent_id} of {what}", log)
    for agent_id in sorted(there.keys() - named):
        there[agent_id].delete()
        log.append(f"removed seat {agent_id} of {what}")


def _apply_seat(member: CouncilMember, entry: Entry, position: int | None, what: str, log: Log) -> None:
    entry.check_names({"agent_id", "model", "fallback_model", *fields.SEAT})
    values = entry.values(CouncilMember, fields.SEAT) | ({} if position is None else {"position": position})
    model, lacks_model = _needed_model(entry, "model", is_new=member.pk is None)
    values |= model
    if entry.has("fallback_model"):
        values["fallback_model"] = None if entry.data["fallback_model"] is None else model_at(entry, "fallback_model")
    has_council = member.council.pk is not None
    unchecked = (*(() if has_council else ("council",)), *(("model",) if lacks_model else ()))
    save_row(member, values, entry, what=what, log=log, unchecked=unchecked, store=has_council and not lacks_model)


def choose_default(document: Entry, log: Log, *, before: str | None) -> None:
    """Make the council that the document chooses the default one. Without any, its first council that is switched on becomes it.

    ``before`` is the slug of the default one before the document was applied.
    """
    wishes = _wishes(document)
    chosen = _chosen(document, wishes)
    current = CouncilConfiguration.objects.filter(is_default=True).first()
    if before is not None and not chosen:
        _keep_default(document, before, is_on=current is not None, wish=wishes.get(before))
    if document.problems:
        return
    slug = chosen if chosen is not None or before is not None else _first_switched_on(wishes)
    if slug is not None and (current is None or current.slug != slug):
        _make_default(document, slug, log)


def _chosen(document: Entry, wishes: Mapping[str, bool | None]) -> str | None:
    """The council that wishes to be the default one; every further one is a fault."""
    wishing = [slug for slug, wish in wishes.items() if wish]
    for slug in wishing[1:]:
        _entry_of(document, slug).blame("Only one council can be the default.", "is_default")
    return wishing[0] if wishing else None


def _first_switched_on(slugs: Iterable[str]) -> str | None:
    on = set(CouncilConfiguration.objects.active().filter(slug__in=slugs).values_list("slug", flat=True))
    return next((slug for slug in slugs if slug in on), None)


def _keep_default(document: Entry, slug: str, *, is_on: bool, wish: bool | None) -> None:
    if not is_on:
        _entry_of(document, slug).blame(DEFAULT_STAYS_ON, "is_active")
    elif wish is False:
        _entry_of(document, slug).blame("This is the default council. Choose another one as default instead.", "is_default")


def _make_default(document: Entry, slug: str, log: Log) -> None:
    council = CouncilConfiguration.objects.get(slug=slug)
    if not council.can_be_asked:
        _entry_of(document, slug).blame("A council that is switched off cannot be the default.", "is_default")
        return
    make_default(council=council)
    log.append(f"council {slug} is now the default")


def _wishes(document: Entry) -> dict[str, bool | None]:
    """What each council of the document says about being the default, by slug; ``None`` where it says nothing."""
    return {
        entry.data["slug"]: entry.values(CouncilConfiguration, ("is_default",)).get("is_default")
        for entry in document.entries("councils")
        if isinstance(entry.data.get("slug"), str)
    }


def _entry_of(document: Entry, slug: str) -> Entry:
    return next(entry for entry in document.entries("councils") if entry.data.get("slug") == slug)
