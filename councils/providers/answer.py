"""From the bytes of an answer to its text and its completion, without sockets or clocks."""

from typing import Any

import orjson

from councils.engine.errors import BrokenStream, ContentFiltered, EmptyAnswer, OutOfTokens, ProviderError, Refused
from councils.engine.types import Completion, CompletionRequest, FinishReason
from councils.providers.dialect import Dialect, Draft, MalformedEventError
from councils.providers.faults import clean_detail, from_event
from councils.providers.redaction import SecretFilter
from councils.providers.sse import Event, SseFraming
from councils.providers.usage import settled_usage

MAX_BAD_EVENTS = 3
MAX_WHOLE_BYTES = 4_000_000
# Comments and hidden reasoning have no cap of their own; nothing honest comes near this.
MAX_STREAM_BYTES = 64_000_000
MODEL_NAME_CHARS = 200
DONE = b"[DONE]"


class AnswerReader:
    """Reads one answer: fed with chunks, gives text, and in the end the completion.

    ``active`` says whether the last ``feed`` brought work of the model (text or reasoning, but no pings and comments).
    """

    def __init__(self, dialect: Dialect, request: CompletionRequest, secrets: tuple[str, ...] = ()) -> None:
        self._dialect = dialect
        self._request = request
        self._secrets = secrets
        self._framing = dialect.framing()
        self._filter = SecretFilter(secrets)
        self._draft = Draft()
        self._parts: list[str] = []
        self._shown = 0
        self._written = 0
        self._received = 0
        self._bad_events = 0
        self._cut = False
        self._undecided = isinstance(self._framing, SseFraming)
        self._whole: list[bytes] | None = None
        self.failure: ProviderError | None = None

    @property
    def done(self) -> bool:
        """Nothing more needs to be read."""
        return self._draft.ended or self._cut

    @property
    def complete(self) -> bool:
        """The provider has said why it stopped: the text is whole even if the terminal event never comes."""
        return self.done or self._draft.finish is not None

    @property
    def cut(self) -> bool:
        """The answer was longer than we take."""
        return self._cut

    @property
    def active(self) -> bool:
        return self._draft.active

    def feed(self, chunk: bytes) -> str:
        """The text that ``chunk`` adds. What goes wrong is kept in ``failure``: the text before it in the same chunk is not lost."""
        self._draft.active = False
        try:
            self._feed(chunk)
        except ProviderError as error:
            self.failure = error
        return self._fresh_text()

    def close(self) -> str:
        """The text that the end of the stream completes; ``failure`` is set where the answer is not whole."""
        try:
            if self._whole is not None:
                self._read_whole(b"".join(self._whole))
            else:
                self._take(self._framing.close())
            if not self.complete:
                raise BrokenStream("The stream ended before the answer did.")
            self._accept(self._filter.close())
        except ProviderError as error:
            self.failure = error
        return self._fresh_text()

    def completion(self, *, latency_ms: int, first_token_ms: int | None) -> Completion:
        """The finished answer. Raises ``Refused`` and ``EmptyAnswer``, with the usage that was paid for nothing."""
        text = "".join(self._parts)
        draft = self._draft
        prompt, completion = draft.prompt_tokens, draft.completion_tokens
        # The counts of a stream that we cut are those of its beginning, if any.
        usage = settled_usage(self._request, written=self._written, prompt=prompt, completion=None if self._cut else completion)
        finish = FinishReason.SIZE if self._cut else draft.finish or FinishReason.OTHER
        if failure := self._failure(finish, text):
            failure.usage = usage
            raise failure
        return Completion(
            text=text,
            finish_reason=finish,
            usage=usage,
            model=clean_detail(draft.model, self._secrets)[:MODEL_NAME_CHARS],
            latency_ms=latency_ms,
            first_token_ms=first_token_ms,
        )

    def _failure(self, finish: FinishReason, text: str) -> ProviderError | None:
        if finish is FinishReason.REFUSAL or self._draft.refusal:
            return Refused(clean_detail(self._draft.refusal, self._secrets))
        if text.strip():
            return None
        if finish is FinishReason.FILTERED:
            return ContentFiltered("It left nothing of the answer.")
        if finish is FinishReason.LENGTH:
            return OutOfTokens()
        return EmptyAnswer()

    def _feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > MAX_STREAM_BYTES:
            raise BrokenStream("The stream is longer than any answer.")
        if self._undecided and chunk.strip():
            self._undecided = False
            # Asked for a stream, some servers answer with the completion in one piece: an event never begins with a brace.
            self._whole = [] if chunk.lstrip().startswith(b"{") else None
        if self._whole is None:
            self._take(self._framing.feed(chunk))
            return
        if self._received > MAX_WHOLE_BYTES:
            raise BrokenStream("The answer in one piece is too long.")
        self._draft.active = True
        self._whole.append(chunk)

    def _read_whole(self, body: bytes) -> None:
        try:
            self._accept(self._filter.feed(self._read(Event("", body), orjson.loads(body), whole=True)))
        except (orjson.JSONDecodeError, MalformedEventError) as error:
            raise BrokenStream("The answer is not in the provider's protocol.") from error

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if self.done:
                return
            if text := self._text_of(event):
                self._accept(self._filter.feed(text))
        if self.done:
            # Held back until it was certain that it is no secret.
            self._accept(self._filter.close())

    def _text_of(self, event: Event) -> str:
        if event.data.strip() == DONE:
            self._draft.ended = True
            return ""
        try:
            return self._read(event, orjson.loads(event.data), whole=False)
        except (orjson.JSONDecodeError, MalformedEventError) as error:
            self._bad_events += 1
            if self._bad_events > MAX_BAD_EVENTS:
                raise BrokenStream(f"More than {MAX_BAD_EVENTS} events were not in the provider's protocol.") from error
            return ""

    def _read(self, event: Event, content: Any, *, whole: bool) -> str:
        if event.name == "error":
            raise from_event(content.get("error") or content if isinstance(content, dict) else content, secrets=self._secrets)
        if not isinstance(content, dict):
            raise MalformedEventError("object expected")
        if error := content.get("error"):
            raise from_event(error, secrets=self._secrets)
        if content.get("object") == "error":
            raise from_event(content, secrets=self._secrets)
        return self._dialect.read_whole(content, self._draft) if whole else self._dialect.read(content, self._draft)

    def _accept(self, text: str) -> None:
        room = self._request.max_chars - self._written
        if self._cut or not text:
            return
        self._cut = len(text) > room
        self._written += min(len(text), room)
        self._parts.append(text[:room])

    def _fresh_text(self) -> str:
        fresh, self._shown = "".join(self._parts[self._shown :]), len(self._parts)
        return fresh
