"""The check of the catalogues finds what would show a reader English, nothing, or a broken sentence."""

from pathlib import Path

import polib
import pytest

from deploy.translations import CATALOGUES, faults_of, faults_of_entry


def entry(msgid: str = "Wait %(n)s s.", msgstr: str = "Attendez %(n)s s.", **fields: object) -> polib.POEntry:
    return polib.POEntry(msgid=msgid, msgstr=msgstr, **fields)


def catalogue(path: Path, *entries: polib.POEntry, compiled: bool = True) -> Path:
    file = polib.POFile()
    file.extend(entries)
    place = path / "locale/fr/LC_MESSAGES/django.po"
    place.parent.mkdir(parents=True)
    file.save(str(place))
    if compiled:
        file.save_as_mofile(str(place.with_suffix(".mo")))
    return place


def test_there_is_a_catalogue() -> None:
    assert [path.parent.parent.name for path in CATALOGUES] == ["fr"]


def test_a_translation_with_the_same_places_for_values_is_taken() -> None:
    assert list(faults_of_entry(entry())) == []
    assert list(faults_of_entry(entry("<bdi>%(a)s</bdi> 5 %%", "5 %% <bdi>%(a)s</bdi>"))) == []


@pytest.mark.parametrize(
    ("msgid", "msgstr"),
    [
        ("Wait %(n)s s.", "Attendez."),
        ("Wait %(n)s s.", "Attendez %(m)s s."),
        ("Wait %(n)d s.", "Attendez %(n)s s."),
        ("Hello", "Bonjour %(name)s"),
        ("<b>Hello</b>", "Bonjour"),
        ("5 %%", "5 %"),
        (" and", "et"),
    ],
)
def test_other_places_for_values_and_other_edges_are_found(msgid: str, msgstr: str) -> None:
    assert list(faults_of_entry(entry(msgid, msgstr)))


def test_both_numbers_of_a_plural_are_looked_at() -> None:
    plural = entry("%(n)s day", "", msgid_plural="%(n)s days", msgstr_plural={0: "%(n)s jour", 1: "des jours"})

    assert list(faults_of_entry(plural))
    plural.msgstr_plural[1] = "%(n)s jours"
    assert not list(faults_of_entry(plural))


def test_the_singular_may_say_one_where_the_plural_gives_the_number() -> None:
    assert not list(faults_of_entry(entry("one day", "", msgid_plural="%(n)s days", msgstr_plural={0: "un jour", 1: "%(n)s jours"})))


@pytest.mark.parametrize("broken", [entry(msgstr=""), entry(flags=["fuzzy"])])
def test_what_is_not_translated_or_doubtful_is_found(broken: polib.POEntry) -> None:
    assert list(faults_of_entry(broken))


def test_a_catalogue_that_says_all_and_no_more_is_in_order(tmp_path: Path) -> None:
    fresh = catalogue(tmp_path / "fresh", entry(msgstr=""))

    assert list(faults_of(catalogue(tmp_path / "kept", entry()), fresh)) == []


def test_texts_that_are_missing_or_gone_are_found(tmp_path: Path) -> None:
    kept = catalogue(tmp_path / "kept", entry("Old", "Vieux"))
    fresh = catalogue(tmp_path / "fresh", entry("New", ""))

    missing, gone = faults_of(kept, fresh)

    assert "not in the catalogue: 'New'" in missing
    assert "no page says this any more: 'Old'" in gone


def test_a_compiled_catalogue_that_is_old_or_not_there_is_found(tmp_path: Path) -> None:
    kept = catalogue(tmp_path / "kept", entry(), compiled=False)
    fresh = catalogue(tmp_path / "fresh", entry())
    assert len(list(faults_of(kept, fresh))) == 1

    other = polib.POFile()
    other.append(entry(msgstr="Patientez %(n)s s."))
    other.save_as_mofile(str(kept.with_suffix(".mo")))

    assert ["older" in fault for fault in faults_of(kept, fresh)] == [True]
