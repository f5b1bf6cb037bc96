"""What was sent, as a fingerprint: it shows later whether a prompt that is put together again is the one that went out."""

import hashlib
import json
from collections.abc import Sequence

from councils.engine.types import ChatMessage


def messages_digest(messages: Sequence[ChatMessage]) -> str:
    """SHA-256 of the messages, their roles and their order, as 64 hexadecimal characters."""
    text = json.dumps([(message.role, message.content) for message in messages], ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
