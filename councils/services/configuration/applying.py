"""Applying a configuration document: all or nothing, and nothing twice."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from councils.models import CouncilConfiguration, ModelInfo, PromptStage, PromptTemplate, Provider
from councils.services.configuration import fields
from councils.services.configuration.councils import apply_council, settle_default
from councils.services.configuration.reading import ConfigurationRejected, Entry
from councils.services.configuration.rows import Log, save_row
from councils.services.curating import council_problems

SECTIONS = ("providers", "models", "prompts", "councils")


@dataclass(frozen=True, slots=True)
class Applied:
    """What an application changed, one line each; empty when the database said so already."""

    changes: tuple[str, ...] = ()


def apply_configuration(document: dict[str, Any], *, dry_run: bool = False) -> Applied:
    """Create or update what the document describes, in one transaction.

    Fields that are left out keep their value. Raises ``ConfigurationRejected`` with every fault of the first section that has any, and
    then nothing has changed. ``dry_run`` does all of it and takes it back.
    """
    with transaction.atomic():
        changes = _apply(Entry("", document, []))
        transaction.set_rollback(dry_run)
    return Applied(tuple(changes))


@dataclass(slots=True)
class _Session:
    """One application: the whole document, and what changed so far."""

    document: Entry
    log: Log = field(default_factory=list)

    def each(self, section: str, apply: Callable[[Entry, Log], None]) -> None:
        """Apply every entry of a section. Stops before the next one if anything is wrong: what builds on it would only echo the fault."""
        for entry in self.document.entries(section):
            apply(entry, self.log)
        self.stop_if_wrong()

    def stop_if_wrong(self) -> None:
        if self.document.problems:
            raise ConfigurationRejected(self.document.problems)


def _apply(document: Entry) -> Log:
    session = _Session(document)
    document.check_names({"format", *SECTIONS})
    if document.data.get("format", fields.FORMAT) != fields.FORMAT:
        document.blame(f"This version reads format {fields.FORMAT}.", "format")
    for section, names in (("providers", ("slug",)), ("models", ("provider", "name")), ("councils", ("slug",))):
        _refuse_twins(document.entries(section), names)
    session.stop_if_wrong()
    session.each("providers", _provider)
    session.each("models", _model)
    session.each("prompts", _prompt)
    session.each("councils", apply_council)
    settle_default(document, session.log)
    session.stop_if_wrong()
    if session.log:
        _check_councils(document)
        session.stop_if_wrong()
    return session.log


def _refuse_twins(entries: Iterable[Entry], names: tuple[str, ...]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for entry in entries:
        identity = tuple(str(entry.data.get(name)) for name in names)
        if identity in seen:
            entry.blame(f"{seen[identity]} describes the same {' and '.join(names)}.")
        seen.setdefault(identity, entry.place)


def _provider(entry: Entry, log: Log) -> None:
    entry.check_names({"slug", *fields.PROVIDER})
    slug = entry.text("slug")
    if slug is None:
        return
    provider = Provider.objects.filter(slug=slug).first() or Provider(slug=slug, name=slug)
    save_row(provider, entry.values(Provider, fields.PROVIDER), entry, what=f"provider {slug}", log=log)


def _model(entry: Entry, log: Log) -> None:
    entry.check_names({"provider", "name", *fields.MODEL})
    slug, name = entry.text("provider"), entry.text("name")
    if slug is None or name is None:
        return
    provider = Provider.objects.filter(slug=slug).first()
    if provider is None:
        entry.blame(f"There is no provider {slug}.", "provider")
        return
    model = ModelInfo.objects.filter(provider=provider, name=name).first() or ModelInfo(provider=provider, name=name)
    save_row(model, entry.values(ModelInfo, fields.MODEL), entry, what=f"model {slug}/{name}", log=log)


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
    """Every council of the document that is switched on must be able to deliberate."""
    places = {entry.data["slug"]: entry for entry in document.entries("councils")}
    for council in CouncilConfiguration.objects.active().filter(slug__in=places).with_details():
        for problem in council_problems(council):
            places[council.slug].blame(problem)
