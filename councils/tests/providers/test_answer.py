"""Answers read from bytes: what each dialect's real servers send, and what no server should."""

import orjson
import pytest

from benchmarks import mutations
from benchmarks.mutations import HEALTHY, delta, lines, sse
from councils.engine.errors import BrokenStream, EmptyAnswer, OutOfTokens, ProviderUnavailable, Refused
from councils.engine.types import Completion, FinishReason, Usage, UsageSource
from councils.providers.answer import AnswerReader
from councils.providers.endpoint import EndpointKind
from councils.providers.factory import DIALECTS
from councils.tests.providers.support import KEY, request

OPENAI, OLLAMA, ANTHROPIC = EndpointKind.OPENAI, EndpointKind.OLLAMA, EndpointKind.ANTHROPIC


def read(kind: EndpointKind, *chunks: bytes, max_chars: int = 50_000) -> Completion:
    """The completion of an answer in these chunks. Raises as the provider would."""
    return mutations.read(kind, list(chunks), request(max_chars=max_chars), (KEY,))


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_a_healthy_stream_becomes_its_text_and_its_usage(kind: EndpointKind) -> None:
    completion = read(kind, HEALTHY[kind])

    assert (completion.text, completion.finish_reason) == ("Blue sky ☃.", FinishReason.STOP)
    assert completion.usage == Usage(prompt_tokens=9, completion_tokens=4)


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_a_stream_in_single_bytes_is_the_same_answer(kind: EndpointKind) -> None:
    assert read(kind, *(bytes([byte]) for byte in HEALTHY[kind])) == read(kind, HEALTHY[kind])


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_an_answer_cut_off_anywhere_before_its_end_is_broken_or_whole_and_never_shortened(kind: EndpointKind) -> None:
    stream = HEALTHY[kind]
    for end in range(0, len(stream), 7):
        try:
            completion = read(kind, stream[:end])
        except BrokenStream:
            continue
        assert completion.text == "Blue sky ☃."


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_nothing_at_all_is_a_broken_answer(kind: EndpointKind) -> None:
    with pytest.raises(BrokenStream):
        read(kind)


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_mutated_streams_end_in_a_completion_or_an_error_of_ours(kind: EndpointKind) -> None:
    """Two thousand of them here, the same every time; ``python -m benchmarks.mutations`` reads more."""
    ends = set(mutations.outcomes(kind, 2_000, "suite"))

    assert {Completion, BrokenStream} <= ends


@pytest.mark.parametrize(
    "event",
    [
        b"{",
        b"not json",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b'{"choices": 1}',
        b'{"choices": [1]}',
        b'{"choices": [{"delta": "x"}]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
        b'{"choices": [{"delta": {"content": {"text": "x"}}}]}',
        b'{"choices": [{"delta": {}, "finish_reason": 7}]}',
        b'{"choices": [{"delta": {"content": "\\ud800"}}]}',
        b'{"choices": [{"delta": {"content": "\xff"}}]}',
    ],
)
def test_three_bad_events_are_forgiven_and_the_fourth_is_not(event: bytes) -> None:
    healthy = [delta(content="fine"), delta("stop"), b"[DONE]"]

    assert read(OPENAI, sse(*[event] * 3, *healthy)).text == "fine"
    with pytest.raises(BrokenStream):
        read(OPENAI, sse(*[event] * 4, *healthy))


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", "tool_calls", "something_new"])
def test_every_reason_to_stop_makes_the_answer_whole(finish: str) -> None:
    expected = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH, "content_filter": FinishReason.FILTERED}

    assert read(OPENAI, sse(delta(finish, content="text"))).finish_reason is expected.get(finish, FinishReason.OTHER)


def test_done_alone_ends_an_answer_without_a_reason() -> None:
    completion = read(OPENAI, sse(delta(content="text"), b"[DONE]"))

    assert (completion.text, completion.finish_reason) == ("text", FinishReason.OTHER)


def test_what_follows_the_terminal_event_is_not_read() -> None:
    assert read(OPENAI, HEALTHY[OPENAI] + sse(delta(content="more"))).text == "Blue sky ☃."


def test_reasoning_is_activity_but_no_text() -> None:
    reader = AnswerReader(DIALECTS[OPENAI], request())

    assert reader.feed(sse(delta(reasoning="hm"))) == ""
    assert reader.active
    assert reader.feed(b": ping\n\n") == ""
    assert not reader.active


def test_content_in_typed_parts_counts_only_its_text() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]

    assert read(OPENAI, sse(delta("stop", content=parts))).text == "yes"


def test_a_refusal_in_pieces_is_the_detail_of_the_error() -> None:
    with pytest.raises(Refused) as caught:
        read(OPENAI, sse(delta(refusal="I will "), delta(refusal="not."), delta("stop")))

    assert caught.value.detail == "I will not."


def test_an_answer_filtered_away_entirely_was_refused() -> None:
    with pytest.raises(Refused):
        read(OPENAI, sse(delta("content_filter")))


def test_a_limit_reached_before_the_first_word_is_said_so() -> None:
    with pytest.raises(OutOfTokens) as caught:
        read(OPENAI, sse(delta("length", reasoning_content="hm")))

    assert "limit" in caught.value.message


def test_blanks_are_no_answer() -> None:
    with pytest.raises(EmptyAnswer):
        read(OPENAI, sse(delta("stop", content=" \n\t ")))


@pytest.mark.parametrize(
    "stream",
    [
        sse({"error": {"message": "it broke", "code": 502}}),
        sse({"error": "it broke"}),
        b'event: error\ndata: {"error": {"message": "it broke"}}\n\n',
        b'event: error\ndata: {"message": "it broke"}\n\n',
        sse({"object": "error", "message": "it broke", "code": 500}),
        b'{"error": {"message": "it broke"}}',
    ],
)
def test_an_error_inside_a_good_status_is_an_error(stream: bytes) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        read(OPENAI, stream)

    assert "it broke" in caught.value.detail


def test_an_error_that_is_none_is_no_error() -> None:
    assert read(OPENAI, sse({"error": None, **delta("stop", content="fine")})).text == "fine"


def test_a_finish_reason_of_error_is_an_error() -> None:
    with pytest.raises(ProviderUnavailable):
        read(OPENAI, sse(delta("error", content="half")))


def test_the_text_before_an_error_in_one_chunk_is_kept() -> None:
    reader = AnswerReader(DIALECTS[OPENAI], request())

    assert reader.feed(sse(delta(content="half"), {"error": "it broke"})) == "half"
    assert isinstance(reader.failure, ProviderUnavailable)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_completion_in_one_piece_is_accepted(size: int) -> None:
    message = {"message": {"role": "assistant", "content": "Blue sky."}, "finish_reason": "stop"}
    body = b"\n " + orjson.dumps(
        {"model": "m", "choices": [message], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}, option=orjson.OPT_INDENT_2
    )

    completion = read(OPENAI, *(body[start : start + size] for start in range(0, len(body), size)))

    assert (completion.text, completion.model, completion.usage.completion_tokens) == ("Blue sky.", "m", 4)


@pytest.mark.parametrize("body", [b"{", b'{"choices": []}', b"{}", b'{"choices": [{"message": {"content": 5}}]}'])
def test_one_piece_that_is_no_completion_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenStream):
        read(OPENAI, body)


def test_anthropic_in_one_piece_gives_the_tool_input_as_the_answer() -> None:
    block = {"type": "tool_use", "name": "answer", "input": {"word": "yes"}}
    body = {
        "type": "message",
        "model": "m",
        "content": [block],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }

    completion = read(ANTHROPIC, orjson.dumps(body))

    assert (completion.text, completion.finish_reason) == ('{"word":"yes"}', FinishReason.STOP)


def test_anthropic_tool_input_arrives_in_pieces() -> None:
    pieces = [
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": part}} for part in ("", '{"wo', 'rd":"yes"}')
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}

    assert read(ANTHROPIC, sse(*pieces, end, {"type": "message_stop"})).text == '{"word":"yes"}'


def test_anthropic_counts_the_cached_part_of_the_prompt() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 1}
    stream = sse({"type": "message_start", "message": {"usage": usage}}) + HEALTHY[ANTHROPIC].split(b"\n\n", 1)[1]

    assert read(ANTHROPIC, stream).usage == Usage(prompt_tokens=125, completion_tokens=4)


def test_anthropic_counts_are_cumulative_and_never_shrink() -> None:
    counts = [{"type": "message_delta", "delta": {}, "usage": {"output_tokens": count}} for count in (10, 40, 3)]
    stream = HEALTHY[ANTHROPIC].replace(sse({"type": "ping"}), sse(*counts))

    assert read(ANTHROPIC, stream).usage.completion_tokens == 40


def test_anthropic_events_of_the_future_are_ignored() -> None:
    assert read(ANTHROPIC, sse({"type": "from_the_future", "delta": 5}) + HEALTHY[ANTHROPIC]).text == "Blue sky ☃."


def test_ollama_without_a_reason_has_simply_stopped() -> None:
    completion = read(OLLAMA, lines({"message": {"content": "yes"}, "done": True}))

    assert (completion.finish_reason, completion.usage.source) == (FinishReason.STOP, UsageSource.ESTIMATED)


def test_ollama_names_its_errors_in_the_stream() -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        read(OLLAMA, lines({"message": {"content": "half"}}, {"error": "llama runner process has terminated"}))

    assert "terminated" in caught.value.detail


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_an_answer_is_cut_exactly_at_its_cap(kind: EndpointKind) -> None:
    completion = read(kind, HEALTHY[kind], max_chars=6)

    assert (completion.text, completion.finish_reason) == ("Blue s", FinishReason.SIZE)


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_an_answer_that_fits_exactly_is_not_cut(kind: EndpointKind) -> None:
    assert read(kind, HEALTHY[kind], max_chars=len("Blue sky ☃.")).finish_reason is FinishReason.STOP


def test_a_model_name_cannot_smuggle_anything() -> None:
    completion = read(OPENAI, sse({"model": f"evil\r\n{KEY}" + "x" * 500, **delta("stop", content="text")}))

    assert KEY not in completion.model
    assert completion.model.isprintable()
    assert len(completion.model) <= 200
