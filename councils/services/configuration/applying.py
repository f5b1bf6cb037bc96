"""Applying a configuration document: all or nothing, and nothing twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from councils.models import CouncilConfiguration, ModelInfo, PromptStage, PromptTemplate, Provider
from councils.models.turns import take_turn
from councils.services.auditing import audited_tables, taken_back
from councils.services.configuration import fields
from councils.services.configuration.councils import apply_council, choose_default
from councils.services.configuration.endpoints import apply_endpoints
from councils.services.configuration.reading import ConfigurationRejected, Entry, suggestion
from councils.services.configuration.rows import Log, save_row
from councils.services.pricing import record_price, suggest_price
from councils.services.standing import council_problems

PRICES = frozenset({"cost_per_1k_input_tokens", "cost_per_1k_output_tokens"})
SECTIONS = ("providers", "models", "prompts", "councils")


@dataclass(frozen=True, slots=True)
class Applied:
    """What an application changed, one line each; empty when the database said so already."""

    changes: tuple[str, ...] = ()


def apply_configuration(document: dict[str, Any], *, dry_run: bool = False) -> Applied:
    """Create or update what the document describes, in one transaction.

    Fields that are left out keep their value. Raises ``ConfigurationRejected`` with every fault of the document, and then nothing has
    changed. ``dry_run`` does all of it and takes it back.
    """
    with transaction.atomic():
        take_turn()
        tables = (Provider, ModelInfo, PromptTemplate, CouncilConfiguration)
        with taken_back() if dry_run else audited_tables(*tables, note="From a configuration document."):
            changes = _apply(Entry("", document, [], document))
    return Applied(tuple(changes))


def _apply(document: Entry) -> Log:
    log: Log = []
    document.check_names({"format", *SECTIONS})
    default = CouncilConfiguration.objects.filter(is_default=True).values_list("slug", flat=True).first()
    if document.data.get("format", fields.FORMAT) != fields.FORMAT:
        document.blame(f"This version reads format {fields.FORMAT}.", "format")
    for section, names in (("providers", ("slug",)), ("models", ("provider", "name")), ("councils", ("slug",))):
        _refuse_twins(document.entries(section), names)
    for section, apply in (("providers", _provider), ("models", _model), ("prompts", _prompt), ("councils", apply_council)):
        for entry in document.entries(section):
            apply(entry, log)
    choose_default(document, log, before=default)
    if log or document.problems:
        _check_councils(document)
    if document.problems:
        # Nothing that is wrong may stop the reader earlier: people mend a file once, not once for each fault.
        raise ConfigurationRejected(list(dict.fromkeys(document.problems)))
    return log


def _refuse_twins(entries: Iterable[Entry], names: tuple[str, ...]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for entry in entries:
        identity = tuple(str(entry.data.get(name)) for name in names)
        if identity in seen:
            entry.blame(f"{seen[identity]} describes the same {' and '.join(names)}.")
        seen.setdefault(identity, entry.place)


def _provider(entry: Entry, log: Log) -> None:
    entry.check_names({"slug", "endpoints", *fields.PROVIDER})
    slug = entry.text("slug")
    if slug is None:
        return
    provider = Provider.objects.filter(slug=slug).first() or Provider(slug=slug, name=slug)
    save_row(provider, entry.values(Provider, fields.PROVIDER), entry, what=f"provider {slug}", log=log)
    if entry.has("endpoints"):
        apply_endpoints(provider, entry, log)


def _model(entry: Entry, log: Log) -> None:
    entry.check_names({"provider", "name", *fields.MODEL})
    slug, name = entry.text("provider"), entry.text("name")
    if slug is None or name is None:
        return
    provider = Provider.objects.filter(slug=slug).first()
    values, what = entry.values(ModelInfo, fields.MODEL), f"model {slug}/{name}"
    if provider is not None:
        stored = ModelInfo.objects.filter(provider=provider, name=name).first()
        model = stored or ModelInfo(provider=provider, name=name)
        source = suggest_price(model) if stored is None and PRICES.isdisjoint(entry.data) else None
        if save_row(model, values, entry, what=what, log=log):
            record_price(model, source=source)
        return
    if not entry.is_described("providers", slug=slug):
        entry.blame(f"There is no provider {slug}.{suggestion(slug, Provider.objects.values_list('slug', flat=True))}", "provider")
    save_row(ModelInfo(name=name), values, entry, what=what, log=log, unchecked=("provider",), store=False)


def _prompt(entry: Entry, log: Log) -> None:
    entry.check_names({"stage", "name", "version", "text"})
    stage, name, text = entry.text("stage"), entry.text("name"), entry.text("text")
    if stage is None or name is None or text is None:
        return
    if stage not in PromptStage.values:
        entry.blame(f"Use one of: {', '.join(PromptStage.values)}.", "stage")
        return
    newest = PromptTemplate.objects.latest_of(stage, name)
    if entry.has("version") and not _is_due(entry, stage, name, text, newest):
        return
    _add_version(entry, stage, name, text, log)


def _add_version(entry: Entry, stage: str, name: str, text: str, log: Log) -> None:
    before = PromptTemplate.objects.latest_of(stage, name)
    try:
        with transaction.atomic():
            template = PromptTemplate.objects.add_version(stage=stage, name=name, text=text)
    except ValidationError as error:
        entry.blame_all(error)
        return
    if template != before:
        log.append(f"added prompt {stage}/{name}, version {template.version}")


def _is_due(entry: Entry, stage: str, name: str, text: str, newest: PromptTemplate | None) -> bool:
    """Whether the version that the entry numbers is the next one. An earlier one must say what the entry says."""
    version = entry.values(PromptTemplate, ("version",)).get("version")
    if version is None:
        return False
    following = (newest.version if newest else 0) + 1
    if version > following or version < 1:
        entry.blame(f"Versions count from 1 without a gap; the next one here is {following}.", "version")
    elif version < following and not PromptTemplate.objects.filter(stage=stage, name=name, version=version, text=text).exists():
        entry.blame(f"Version {version} exists and says something else. A version is never changed: leave the number out.", "version")
    return bool(version == following)


def _check_councils(document: Entry) -> None:
    """Every council of the document that is switched on must be able to deliberate.

    One with faults of its own, or that may lack what another faulty entry should have made, is not asked: it would only echo the fault.
    """
    if any(not problem.startswith("councils[") for problem in document.problems):
        return
    entries = [entry for entry in document.entries("councils") if not any(p.startswith(entry.place) for p in document.problems)]
    places = {entry.data["slug"]: entry for entry in entries}
    for council in CouncilConfiguration.objects.active().filter(slug__in=places).with_details():
        for problem in council_problems(council):
            places[council.slug].blame(problem)
