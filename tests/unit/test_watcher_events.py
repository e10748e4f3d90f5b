"""Bytes to events, held against the shared cases and against every way to cut the bytes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.events import EventDecoder, EventReader, EventTooLargeError
from watcher.lines import LineDecoder, LineTooLongError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sse.json").read_text("utf-8"))
CASES = VECTORS["parse"]


def to_bytes(text):
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def cut(data, places):
    edges = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def read(chunks):
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return events, reader.last_event_id, reader.retry_ms


def expect(case):
    return case["events"], case["last_event_id"], case["retry_ms"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_it_reads_every_shared_case_in_pieces_of_any_size(case, size):
    data = to_bytes(case["bytes"])
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    events, last_event_id, retry_ms = read(chunks)
    fields = [[event.type, event.data, event.last_event_id] for event in events]
    assert (fields, last_event_id, retry_ms) == expect(case)


@pytest.mark.parametrize("frame", VECTORS["frames"], ids=lambda frame: frame["name"])
def test_it_reads_back_what_an_encoder_must_write(frame):
    (event,), _, _ = read([frame["bytes"].encode()])
    assert (event.type, event.data) == (frame["event"], frame["data"])
    assert event.last_event_id == (frame["id"] or "")


MARKS = [b"\r", b"\n", b"\r\n", b":", b" ", b"\0", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xff"]
WORDS = [b"data", b"id", b"event", b"retry", b"1", b"data: x\n\n", b"id: 4\n"]
PARTS = st.sampled_from(MARKS + WORDS)
STREAMS = st.lists(PARTS | st.binary(max_size=3), max_size=40).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=20))
def test_where_the_bytes_are_cut_changes_nothing(data, places):
    assert read(cut(data, places)) == read([data])


@given(STREAMS)
def test_empty_chunks_change_nothing(data):
    pieces = [piece for byte in cut(data, range(len(data))) for piece in (b"", byte)]
    assert read(pieces) == read([data])


def test_a_cr_ends_its_line_before_the_next_chunk_is_there():
    assert len(list(EventReader().feed(b"data: x\r\r"))) == 1


def test_it_starts_from_the_id_that_it_is_given():
    reader = EventReader("1-5")
    assert reader.last_event_id == "1-5"
    (event,) = reader.feed(b"data: x\n\n")
    assert event.last_event_id == "1-5"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_over_the_limit_is_an_error_after_the_lines_before_it(size):
    decoder = LineDecoder(max_line_bytes=10)
    data = b"short\n" + b"x" * 11 + b"\n"
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    lines = itertools.chain.from_iterable(decoder.feed(chunk) for chunk in chunks)
    assert next(lines) == "short"
    with pytest.raises(LineTooLongError):
        next(lines)


def test_a_line_at_the_limit_is_none():
    assert list(LineDecoder(max_line_bytes=10).feed(b"x" * 10 + b"\n")) == ["x" * 10]


def test_an_event_over_the_limit_is_an_error():
    decoder = EventDecoder(max_event_chars=20)
    decoder.feed("data: " + "x" * 10)
    with pytest.raises(EventTooLargeError):
        decoder.feed("data: " + "x" * 10)


def test_the_limit_is_for_one_event_and_not_for_all():
    decoder = EventDecoder(max_event_chars=20)
    for _ in range(5):
        decoder.feed("data: " + "x" * 10)
        assert decoder.feed("") is not None
