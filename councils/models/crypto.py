"""Secrets at rest: a field that only ever stores ciphertext."""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableSecret(Exception):
    """A stored secret cannot be read with the keys in FIELD_ENCRYPTION_KEYS. Enter it again, or restore the old key."""


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def seal(plain: str) -> str:
    """Encrypt with the first key of the ring. The empty string stays empty: it means that there is no secret."""
    if not plain:
        return ""
    return _ring(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(plain.encode()).decode()


def unseal(sealed: str) -> str:
    """Decrypt with any key of the ring; raises ``UnreadableSecret``."""
    if not sealed:
        return ""
    try:
        return _ring(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret(UnreadableSecret.__doc__) from None


def reseal(sealed: str) -> str:
    """The same secret under the first key of the ring; raises ``UnreadableSecret``. When it was sealed is not told anew."""
    if not sealed:
        return ""
    try:
        return _ring(tuple(settings.FIELD_ENCRYPTION_KEYS)).rotate(sealed.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret(UnreadableSecret.__doc__) from None
