import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.engine.errors import BrokenStream
from councils.providers.sse import MAX_EVENT_BYTES, MAX_LINE_BYTES, Event, Framing, LineSplitter, NdjsonFraming, SseFraming


def events_of(framing: Framing, *chunks: bytes) -> list[Event]:
    events = [event for chunk in chunks for event in framing.feed(chunk)]
    return events + framing.close()


def data_of(*chunks: bytes) -> list[bytes]:
    return [event.data for event in events_of(SseFraming(), *chunks)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_kind_of_line_end_separates_events(end: bytes) -> None:
    stream = end.join([b"data: one", b"", b"data: two", b"", b""])

    assert data_of(stream) == [b"one", b"two"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_stream_cut_at_every_byte_gives_the_same_events(end: bytes) -> None:
    stream = end.join([b"data: one", b"", b": ping", b"", b"data: two", b"data: more", b"", b""])

    assert data_of(*(bytes([byte]) for byte in stream)) == [b"one", b"two\nmore"]


def test_a_line_end_split_between_chunks_swallows_no_empty_line() -> None:
    splitter = LineSplitter()

    assert [splitter.feed(chunk) for chunk in (b"one\r", b"\n", b"\n", b"", b"two\n")] == [[b"one"], [], [b""], [], [b"two"]]


def test_a_character_split_between_chunks_stays_whole() -> None:
    snowman = "data: ☃\n\n".encode()

    assert data_of(snowman[:7], snowman[7:8], snowman[8:]) == ["☃".encode()]


def test_a_byte_order_mark_is_dropped_even_when_split() -> None:
    assert data_of(b"\xef", b"\xbb\xbfdata: one\n\n") == [b"one"]


def test_a_byte_order_mark_later_in_the_stream_is_no_mark() -> None:
    assert data_of(b"data: one\n\n\xef\xbb\xbfdata: two\n\n") == [b"one"]


def test_comments_and_unknown_fields_are_no_events() -> None:
    assert data_of(b": ping\n\nretry: 10\n\nid: 4\n\nevent: nothing\n\n") == []


def test_several_data_lines_are_joined_by_line_ends() -> None:
    assert data_of(b"data: a\ndata\ndata:b\n\n") == [b"a\n\nb"]


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert data_of(b"data:  two spaces\n\n") == [b" two spaces"]


def test_an_event_carries_its_name_and_the_next_one_does_not() -> None:
    assert events_of(SseFraming(), b"event: error\ndata: a\n\ndata: b\n\n") == [Event("error", b"a"), Event("", b"b")]


def test_the_last_event_counts_although_its_empty_line_is_missing() -> None:
    assert data_of(b"data: one\n\ndata: [DONE]") == [b"one", b"[DONE]"]


def test_a_line_that_never_ends_is_broken_off_at_the_cap() -> None:
    framing = SseFraming()
    framing.feed(b"x" * MAX_LINE_BYTES)

    with pytest.raises(BrokenStream):
        framing.feed(b"x")


def test_a_long_line_in_one_chunk_is_broken_off_too() -> None:
    with pytest.raises(BrokenStream):
        LineSplitter(max_line=10).feed(b"x" * 11 + b"\n")


def test_an_event_of_endless_lines_is_broken_off_at_the_cap() -> None:
    framing = SseFraming()
    line = b"data: " + b"x" * (MAX_EVENT_BYTES // 4) + b"\n"
    framing.feed(line * 4)

    with pytest.raises(BrokenStream):
        framing.feed(line)


def test_ndjson_gives_a_line_an_event_and_skips_empty_ones() -> None:
    events = events_of(NdjsonFraming(), b'{"a":', b'1}\n\n  \n{"b":2}')

    assert [event.data for event in events] == [b'{"a":1}', b'{"b":2}']


@given(st.lists(st.sampled_from([b"data: x", b"data", b"event: e", b": c", b"", b"\r", b"\n", b"\r\n", b"\xe2\x98\x83"])), st.data())
def test_the_way_the_network_cuts_a_stream_never_matters(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert events_of(SseFraming(), *chunks) == events_of(SseFraming(), stream)


@given(st.binary(max_size=200).filter(lambda stream: not stream.startswith(b"\xef\xbb\xbf")))
def test_lines_are_those_of_the_standard(stream: bytes) -> None:
    splitter = LineSplitter()

    assert splitter.feed(stream) + splitter.close() == stream.splitlines()
