"""Settings of the test suite: the local profile, nothing of the developer's own environment, quick password hashes."""

import os
import tempfile
from pathlib import Path

# A file, not memory: only a file has the locks, the journal and the pragmas that the site runs with.
TEST_DATABASE = f"sqlite:///{Path(tempfile.gettempdir()) / f'council-test-{os.getpid()}.sqlite3'}"
os.environ.update(
    SITE_PROFILE="local",
    SECRET_KEY="only-for-tests",
    FIELD_ENCRYPTION_KEYS="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", TEST_DATABASE),
    REDIS_URL=os.environ.get("TEST_REDIS_URL", ""),
    ENV_FILE=os.devnull,
)

from council_site.settings import *

for _database in DATABASES.values():
    if "sqlite" in _database["ENGINE"]:
        _database["TEST"] = {"NAME": _database["NAME"]}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Nothing was collected here; whitenoise would warn of that with every request handler it builds.
WHITENOISE_AUTOREFRESH = True
