"""Keeping our own keys out of what people see, even when a provider sends them back."""

from collections.abc import Sequence
from urllib.parse import quote

MASK = "[secret]"


def hide(text: str, secrets: Sequence[str]) -> str:
    """``text`` with every secret masked, also where it was percent-encoded."""
    for secret in secrets:
        text = text.replace(secret, MASK)
        encoded = quote(secret, safe="")
        if encoded != secret:
            text = text.replace(encoded, MASK)
    return text


class SecretFilter:
    """Masks secrets in a text that comes in pieces, also where a secret lies across two of them.

    A tail that could be the beginning of a secret is held back until the next piece decides it.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)
        self._held = ""

    def feed(self, piece: str) -> str:
        """What of the text so far may go out now."""
        if not self._secrets:
            return piece
        text = hide(self._held + piece, self._secrets)
        keep = max(_overlap(text, secret) for secret in self._secrets)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def close(self) -> str:
        """The tail that turned out to be no secret."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, secret: str) -> int:
    """The length of the longest end of ``text`` that is a beginning of ``secret``."""
    start = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while start >= 0:
        if secret.startswith(text[start:]):
            return len(text) - start
        start = text.find(secret[0], start + 1)
    return 0
