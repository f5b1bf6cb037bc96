"""The catalogues of translations: ``update`` takes in what the pages say now, ``check`` tells whether everything is translated.

What users read is translated: pages, forms, messages, reasons and errors of runs. The admin, the API, the terminal and logs are English.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import polib
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import makemessages

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = tuple(folder / "django.po" for folder in sorted(ROOT.glob("locale/*/LC_MESSAGES")))
SOURCES = ("councils", "templates", "locale")
ENGLISH_ONLY = ("councils/admin", "councils/api", "councils/management", "councils/tests", "templates/admin", "templates/api")
PLACEHOLDER = re.compile(r"%\(\w+\)[#0 +-]*[\d.]*[a-z]|%%|%[sd]|</?[a-z]+")
"""What a translation must keep: places for values, and tags."""


class MakeMessages(makemessages.Command):
    """Django's own, which also knows the name under which modules with lazy texts import the immediate ``gettext``.

    It guesses no translations: a wrong one is worse than none.
    """

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_t"]
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]


@contextmanager
def extracted() -> Iterator[Path]:
    """A copy of the sources with catalogues that hold what they say now, by Django's makemessages and GNU gettext."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in SOURCES:
            shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__", "tests"))
        ignored = [f"{name}/*" for name in ENGLISH_ONLY]
        # File names without line numbers, so that a line that moved changes nothing.
        call_command(MakeMessages(), all=True, no_obsolete=True, add_location="file", no_wrap=True, ignore_patterns=ignored, verbosity=0)
        yield Path(folder)


def update() -> int:
    """Take in new texts, drop those that are gone, and compile what is translated."""
    with extracted() as copy:
        for path in CATALOGUES:
            catalogue = polib.pofile(str(copy / path.relative_to(ROOT)), wrapwidth=0)
            # When the texts were gathered says nothing, and would change with every look.
            catalogue.metadata.pop("POT-Creation-Date", None)
            catalogue.save(str(path))
            catalogue.save_as_mofile(str(path.with_suffix(".mo")))
            left, doubtful = len(catalogue.untranslated_entries()), len(catalogue.fuzzy_entries())
            print(f"{path.relative_to(ROOT)}: {left} to translate, {doubtful} to look at")
    return 0


def check() -> int:
    """Say everything that is wrong; 0 if nothing is."""
    with extracted() as copy:
        faults = [fault for path in CATALOGUES for fault in faults_of(path, copy / path.relative_to(ROOT))]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print("Run: make messages; then translate, and run it again.", file=sys.stderr)
    return int(bool(faults))


def faults_of(committed: Path, fresh: Path) -> Iterator[str]:
    """``fresh`` is the same catalogue after an extraction from the sources of now."""
    kept, wanted = polib.pofile(str(committed)), polib.pofile(str(fresh))
    known = {_key(entry) for entry in kept}
    language = committed.parent.parent.name
    for entry in wanted:
        if _key(entry) not in known:
            yield f"{language}: not in the catalogue: {entry.msgid!r} ({_place(entry)})"
    needed = {_key(entry) for entry in wanted}
    for entry in kept:
        if _key(entry) not in needed:
            yield f"{language}: no page says this any more: {entry.msgid!r}"
        yield from (f"{language}: {fault}: {entry.msgid!r} ({_place(entry)})" for fault in faults_of_entry(entry))
    yield from _faults_of_binary(kept, committed.with_suffix(".mo"), language)


def faults_of_entry(entry: polib.POEntry) -> Iterator[str]:
    """What is wrong with one translation."""
    if entry.fuzzy:
        yield "to be looked at (fuzzy)"
    if not entry.translated():
        yield "not translated"
        return
    for text in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
        originals = {frozenset(PLACEHOLDER.findall(original)) for original in (entry.msgid, entry.msgid_plural) if original}
        # A singular may say "one" where the plural gives the number.
        if frozenset(PLACEHOLDER.findall(text)) not in originals:
            yield f"other places for values than in English: {text!r}"
        if text[:1].isspace() != entry.msgid[:1].isspace() or text[-1:].isspace() != entry.msgid[-1:].isspace():
            yield f"other spaces at its ends than in English: {text!r}"


def _faults_of_binary(catalogue: polib.POFile, path: Path, language: str) -> Iterator[str]:
    told = {_key(entry): _said(entry) for entry in polib.mofile(str(path))} if path.exists() else {}
    if told != {_key(entry): _said(entry) for entry in catalogue if entry.translated()}:
        yield f"{language}: {path.name} is older than {path.stem}.po"


def _key(entry: polib.POEntry | polib.MOEntry) -> tuple[str, str, str]:
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural or ""


def _said(entry: polib.POEntry | polib.MOEntry) -> tuple[str, ...]:
    return (entry.msgstr, *(entry.msgstr_plural[form] for form in sorted(entry.msgstr_plural)))


def _place(entry: polib.POEntry) -> str:
    return ", ".join(name for name, _ in entry.occurrences)


COMMANDS: dict[str, Callable[[], int]] = {"update": update, "check": check}

if __name__ == "__main__":
    settings.configure()
    sys.exit(COMMANDS[sys.argv[1]]())
