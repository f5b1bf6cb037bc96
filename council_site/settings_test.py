"""Settings of the test suite: the local profile, nothing of the developer's own environment, quick password hashes."""

import os

os.environ.update(
    SITE_PROFILE="local",
    SECRET_KEY="only-for-tests",
    FIELD_ENCRYPTION_KEYS="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", "sqlite:///:memory:"),
    REDIS_URL=os.environ.get("TEST_REDIS_URL", ""),
    ENV_FILE=os.devnull,
)

from council_site.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
