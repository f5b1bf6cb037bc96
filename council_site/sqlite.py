"""A SQLite that keeps its promises.

Versions before 3.51.3 can corrupt a database in WAL mode when a checkpoint meets a writer. Where the platform's library is older, the
``pysqlite3`` package brings a newer one, and this puts it in its place before Django loads its backend.
"""

import sqlite3
import sys
from importlib import import_module, util

SAFE_VERSION = (3, 51, 3)


def use_safe_sqlite() -> None:
    """Make ``import sqlite3`` give a safe library, if one is installed. A system check reports what is really in use."""
    if sqlite3.sqlite_version_info >= SAFE_VERSION or util.find_spec("pysqlite3") is None:
        return
    sys.modules["sqlite3"] = import_module("pysqlite3")
    sys.modules["sqlite3.dbapi2"] = import_module("pysqlite3.dbapi2")
