"""What the engine needs from outside. Implementations live in ``councils.providers``."""

from collections.abc import AsyncGenerator
from typing import Protocol

from councils.engine.types import Completion, CompletionRequest, Delta


class ChatProvider(Protocol):
    """One endpoint that serves models."""

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        """Yield text deltas as they come, then exactly one ``Completion``, which ends the stream.

        Raises only ``ProviderError``s. A failure after some text carries no completion: the caller keeps the deltas if it wants
        them. Closing the generator early (``aclose``) closes the connection.
        """
        ...
