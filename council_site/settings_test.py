"""Settings of the test suite: the local profile, nothing of the developer's own environment, quick password hashes."""

import os
import shutil
import tempfile
from pathlib import Path

# A file, not memory: only a file has the locks, the journal and the pragmas that the site runs with. Where the machine keeps files in its
# memory and has room there, nobody waits for the disk at each commit.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 2**30
ROOMY = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
TEST_DATABASE = f"sqlite:///{(MEMORY if ROOMY else Path(tempfile.gettempdir())) / f'council-test-{os.getpid()}.sqlite3'}"
# Two processes that test side by side empty each their own Redis database.
REDIS_URL = os.environ.get("TEST_REDIS_URL", "")
if REDIS_URL and (worker := os.environ.get("PYTEST_XDIST_WORKER", "")):
    REDIS_URL = f"{REDIS_URL.rpartition('/')[0]}/{1 + int(worker.removeprefix('gw'))}"
os.environ.update(
    SITE_PROFILE="local",
    SECRET_KEY="only-for-tests",
    FIELD_ENCRYPTION_KEYS="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", TEST_DATABASE),
    REDIS_URL=REDIS_URL,
    ENV_FILE=os.devnull,
    # A suite is a very busy visitor. The tests of the limits set their own.
    # Many tests ask the same. Those of the cache switch it on.
    ENABLE_CACHE="false",
    RATE_LIMIT_REQUESTS="0",
    RATE_LIMIT_READ_REQUESTS="0",
)

from council_site.settings import *

for _database in DATABASES.values():
    if "sqlite" in _database["ENGINE"]:
        _database["TEST"] = {"NAME": _database["NAME"]}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Nothing was collected here; whitenoise would warn of that with every request handler it builds.
WHITENOISE_AUTOREFRESH = True
