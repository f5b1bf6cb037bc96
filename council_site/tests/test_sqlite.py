"""A safe SQLite takes the place of an old one, and of an old one only."""

import sys

import pytest

from council_site import sqlite


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put in place of the library is taken back after the test."""
    for name in ("sqlite3", "sqlite3.dbapi2"):
        monkeypatch.setitem(sys.modules, name, sys.modules[name])


def test_an_old_library_is_replaced_for_everybody_who_imports_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("council_site.sqlite.sqlite3.sqlite_version_info", (3, 40, 1))

    sqlite.use_safe_sqlite()

    from sqlite3 import dbapi2

    assert sys.modules["sqlite3"].__name__ == "pysqlite3"
    assert dbapi2.sqlite_version_info >= sqlite.SAFE_VERSION


def test_a_safe_library_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.modules["sqlite3"]
    monkeypatch.setattr("council_site.sqlite.sqlite3.sqlite_version_info", sqlite.SAFE_VERSION)

    sqlite.use_safe_sqlite()

    assert sys.modules["sqlite3"] is before


def test_without_a_replacement_the_old_library_stays_for_the_check_to_report(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.modules["sqlite3"]
    monkeypatch.setattr("council_site.sqlite.sqlite3.sqlite_version_info", (3, 40, 1))
    monkeypatch.setattr("council_site.sqlite.util.find_spec", lambda name: None)

    sqlite.use_safe_sqlite()

    assert sys.modules["sqlite3"] is before
