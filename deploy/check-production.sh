#!/bin/sh
# check-production.sh PYTHON: Django's deployment checks and our own, with the variables that a production site has and no others.
set -eu
secret_key=$("$1" -c 'from django.core.management.utils import get_random_secret_key as key; print(key())')
field_key=$("$1" -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')
exec env -i PATH="$PATH" ENV_FILE=/dev/null SITE_PROFILE=production ALLOWED_HOSTS=council.example TRUSTED_PROXY_COUNT=1 \
    SECRET_KEY="$secret_key" FIELD_ENCRYPTION_KEYS="$field_key" "$1" manage.py check --deploy --fail-level WARNING
