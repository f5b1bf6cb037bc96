"""A provider without a network, for tests and demos: it answers by a script and remembers what it was asked.

>>> provider = ScriptedProvider({"alpha": ["first answer", ProviderUnavailable(), "third answer"]})
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass

from councils.engine.errors import EmptyAnswer, ProviderError
from councils.engine.types import Completion, CompletionRequest, Delta, FinishReason, Usage
from councils.providers.usage import estimate_prompt_tokens, estimate_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer.

    ``text`` streams in ``pieces`` parts of equal length, ``delay_s`` before each. With ``error`` the call raises it after the text.
    ``usage`` is estimated, yet marked as reported, unless given. Nothing comes before ``after`` has happened.
    """

    text: str = ""
    error: ProviderError | None = None
    delay_s: float = 0.0
    pieces: int = 1
    finish_reason: FinishReason = FinishReason.STOP
    usage: Usage | None = None
    model: str = ""
    after: asyncio.Event | None = None


Answer = Reply | str | ProviderError
# Called with the request and the number of this call to this model, from 0.
AnswerFunction = Callable[[CompletionRequest, int], Answer]


class ScriptedProvider:
    """A ``ChatProvider`` that follows a script.

    The script is a function, or a table from model to one answer or a list of answers by call; the last of a list is given again and
    again. ``requests`` holds every request in order, ``aborted`` those whose stream was closed before its end.
    """

    def __init__(self, script: AnswerFunction | Mapping[str, Answer | Sequence[Answer]]) -> None:
        self._script = script
        self._calls: Counter[str] = Counter()
        self.requests: list[CompletionRequest] = []
        self.aborted: list[CompletionRequest] = []

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        """See ``ChatProvider.stream``."""
        self.requests.append(request)
        call = self._calls[request.model]
        self._calls[request.model] += 1
        reply = _as_reply(self._answer(request, call))
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            if reply.after is not None:
                await reply.after.wait()
            for piece in _split(reply.text, reply.pieces):
                await asyncio.sleep(reply.delay_s)
                yield Delta(text=piece)
        except (GeneratorExit, asyncio.CancelledError):
            self.aborted.append(request)
            raise
        if reply.error is not None:
            raise reply.error
        if not reply.text.strip():
            raise EmptyAnswer
        yield Completion(
            text=reply.text,
            finish_reason=reply.finish_reason,
            usage=reply.usage or Usage(prompt_tokens=estimate_prompt_tokens(request), completion_tokens=estimate_tokens(reply.text)),
            model=reply.model or request.model,
            latency_ms=round((loop.time() - started) * 1000),
            first_token_ms=round(reply.delay_s * 1000),
        )

    def calls_of(self, model: str) -> list[CompletionRequest]:
        """The requests that asked for ``model``."""
        return [request for request in self.requests if request.model == model]

    def _answer(self, request: CompletionRequest, call: int) -> Answer:
        if not isinstance(self._script, Mapping):
            return self._script(request, call)
        answers = self._script[request.model]
        if isinstance(answers, str | Reply | ProviderError):
            return answers
        return answers[min(call, len(answers) - 1)]


def _as_reply(answer: Answer) -> Reply:
    match answer:
        case Reply():
            return answer
        case ProviderError():
            return Reply(error=answer)
        case _:
            return Reply(text=answer)


def _split(text: str, pieces: int) -> list[str]:
    """``text`` in at most ``pieces`` parts; no text still is one part, so that its delay is kept."""
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
