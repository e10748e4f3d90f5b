"""What the bus writes on a stream, held against the shared cases and against the watcher."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bus.live.sse import FIRST, KEEPALIVE, RETRY_MS, frame
from watcher.events import EventReader

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sse.json").read_text("utf-8"))
REFUSED_NAMES = [case for case in VECTORS["refused"] if case["data"] == "{}"]
REFUSED_DATA = [case for case in VECTORS["refused"] if case["data"] != "{}"]


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def read(data, places=()):
    """Read bytes that arrive in these pieces; gives what was heard and the reader."""
    edges = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    reader = EventReader()
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    return [event for piece in pieces for event in reader.feed(piece)], reader


@named(VECTORS["frames"])
def test_it_writes_every_shared_frame(case):
    """Byte for byte, but that characters beyond ASCII are escaped, which JSON holds equal."""
    written = frame(case["event"], json.loads(case["data"]), case["id"] or "")
    wanted = case["bytes"].replace(case["data"], escaped(case["data"]))
    assert written == wanted.encode()


def escaped(text):
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)


@named(REFUSED_NAMES)
def test_it_refuses_a_name_that_would_forge_a_line(case):
    with pytest.raises(ValueError, match="no line end"):
        frame(case["event"], {}, case["id"])


@named(REFUSED_DATA)
def test_data_that_would_forge_an_event_cannot_leave_its_line(case):
    """The encoder takes facts and not text, so what must not be written stays inside a string."""
    ((event,), _) = read(frame(case["event"], {"text": case["data"]}, case["id"]))
    assert json.loads(event.data) == {"text": case["data"]}
    assert (event.type, event.last_event_id) == (case["event"], case["id"])


def test_the_first_bytes_set_the_pause_and_are_no_event():
    events, reader = read(FIRST + KEEPALIVE)
    assert (events, reader.retry_ms, reader.last_event_id) == ([], RETRY_MS, "")


@pytest.mark.parametrize("breaks", [b"\n\n", b"\r\r", b"\r\n\r"])
def test_a_comment_has_no_blank_line_which_some_readers_take_for_an_event(breaks):
    assert breaks not in FIRST + KEEPALIVE + KEEPALIVE


# What might end a line, a field, a string or a frame, and what is hard to write as UTF-8. Of
# surrogates only low ones: JSON reads a high and a low one, though each was alone, as a character.
MARKS = '\r\n\0: "\\\u2028\u2029\x85\x0b\x0c\ufeff\udfff\U0001f68c'
TEXTS = st.text() | st.text(st.sampled_from(MARKS + "dataeventid"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
FACTS = st.dictionaries(TEXTS, VALUES, max_size=5)
NAMES = st.sampled_from(["hello", "message", "wake", "state", "bus-error", "bye"])
CURSORS = st.just("") | st.builds("{:08x}-{}".format, st.integers(0, 2**32 - 1), st.integers(0))
FRAMES = st.lists(st.tuples(NAMES, FACTS, CURSORS), max_size=6)
PLACES = st.lists(st.integers(0, 2000), max_size=30)


@given(FRAMES, st.lists(st.integers(0, 2), max_size=6), PLACES)
@example([("message", {"to_agent": "b"}, "1-2"), ("bye", {}, "")], [2, 0], range(200))
def test_the_watcher_reads_back_what_the_bus_wrote_however_it_is_cut(frames, silences, places):
    written, cursor, expected = FIRST, "", []
    for one, silence in itertools.zip_longest(frames, silences, fillvalue=None):
        written += KEEPALIVE * (silence or 0)
        if one is not None:
            written += frame(*one)
            cursor = one[2] or cursor
            expected.append((one[0], one[1], cursor))
    events, reader = read(written, places)
    heard = [(event.type, json.loads(event.data), event.last_event_id) for event in events]
    assert heard == expected
    assert (reader.last_event_id, reader.retry_ms) == (cursor, RETRY_MS)


@given(FACTS, st.integers(0, 200))
def test_a_frame_cut_short_is_no_event_and_moves_no_cursor(facts, at):
    """What a kill of the bus leaves on the wire must be heard again after it."""
    whole = frame("message", facts, "1-9")
    events, reader = read(frame("ready", {}, "1-8") + whole[: min(at, len(whole) - 1)])
    assert [event.type for event in events] == ["ready"]
    assert reader.last_event_id == "1-8"


@given(st.text(), st.text())
def test_it_writes_any_name_so_that_it_reads_back_or_refuses_it(event, cursor):
    try:
        written = frame(event, {}, cursor)
    except ValueError:
        return
    ((heard,), reader) = read(written)
    assert (heard.type, heard.data) == (event or "message", "{}")
    assert reader.last_event_id == cursor
