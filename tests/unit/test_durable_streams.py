"""What the headers of the open protocol say, and how bytes become events; without a bus."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import InvalidRequestError, StreamGoneError
from bus.streams import messages, rules
from bus.streams.model import Offset

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1))
def test_offsets_sort_by_their_text_as_their_places_do(era, one, other):
    first, second = Offset(era, one), Offset(era, other)
    assert (str(first) < str(second)) == (one < other)
    assert rules.read_offset(str(first)) == first


@pytest.mark.parametrize(
    "wrong", ["1", "0_0", "-2", "NOW", f"{Offset(1, 2)}\n", f" {Offset(1, 2)}"]
)
def test_what_this_bus_did_not_write_is_no_offset(wrong):
    with pytest.raises(InvalidRequestError):
        rules.read_offset(wrong)


def test_an_offset_is_good_up_to_where_its_era_ends_and_gone_behind_it():
    row = SimpleNamespace(era=50, era_from=10, size=30)
    for good in (Offset(0, 0), Offset(7, 10), Offset(50, 11), Offset(50, 30)):
        assert rules.place_of(good, row) == good.at
    for gone in (Offset(7, 11), Offset(7, 31)):
        with pytest.raises(StreamGoneError):
            rules.place_of(gone, row)
    for beyond in (Offset(50, 31), Offset(51, 5)):
        with pytest.raises(InvalidRequestError):
            rules.place_of(beyond, row)


def test_a_cursor_never_goes_back_and_never_stays():
    now_ms = 1_790_000_000_000
    current = rules.cursor_at(now_ms)
    assert rules.least_cursor(None, now_ms, 0.0) == 0
    assert rules.least_cursor(str(current - 1), now_ms, 0.0) == 0
    for fraction in (0.0, 0.999):
        assert current < rules.least_cursor(str(current), now_ms, fraction) <= current + 181
    assert rules.least_cursor("9" * 400, now_ms, 0.5) == 0


@pytest.mark.parametrize("wrong", ["05", "+5", "5.0", "5e1", "-1", "", " 5", "5" * 12])
def test_a_ttl_that_could_be_read_in_two_ways_is_refused(wrong):
    with pytest.raises(InvalidRequestError):
        rules.read_seconds("Stream-TTL", wrong)


@pytest.mark.parametrize(
    "wrong", ["text", "text/", "a/b\r\nX: y", "a b/c", "text/plain; x", "t" * 300 + "/x"]
)
def test_a_content_type_is_one_or_is_refused(wrong):
    with pytest.raises(InvalidRequestError):
        rules.read_type(wrong)
    assert rules.read_type('text/plain; charset="utf-8"') == 'text/plain; charset="utf-8"'


@given(st.lists(JSON_VALUES, max_size=6))
def test_json_comes_back_as_it_was_sent_each_element_a_message(values):
    kept = messages.to_lines(json.dumps(values, indent=1).encode())
    assert kept.count(b"\n") == len(values)
    assert json.loads(messages.to_body(kept, is_json=True)) == values


@given(
    st.lists(st.binary(max_size=3).map(lambda b: b.replace(b"\n", b"")), max_size=9),
    st.integers(0, 12),
)
def test_messages_are_passed_over_one_by_one_or_all_at_once_alike(lines, most):
    kept = [line + b"\n" for line in lines]
    passed = kept[:most]
    assert messages.skip_messages(b"".join(kept), most) == (len(b"".join(passed)), len(passed))


def parsed(event: bytes) -> list[tuple[str, str]]:
    """Read events as a browser does."""
    found, name, lines = [], "", []
    for line in event.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "" and lines:
            found.append((name, "\n".join(lines)))
            name, lines = "", []
        elif field == "event":
            name = value
        elif field == "data":
            lines.append(value)
    return found


@given(st.text())
def test_no_text_ends_its_event_or_begins_another(text):
    event = messages.data_event(text.encode("utf-8", "replace"), is_json=False, is_text=True)
    shown = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert parsed(event) == [("data", shown)]


@given(st.binary(min_size=1))
def test_bytes_come_through_an_event_as_they_are(data):
    ((_, text),) = parsed(messages.data_event(data, is_json=False, is_text=False))
    assert base64.b64decode(text) == data


@given(st.text(min_size=1), st.integers(1, 9))
def test_a_character_that_came_in_halves_is_shown_whole(text, step):
    data, shown, kept = text.encode("utf-8", "replace"), "", b""
    for at in range(0, len(data), step):
        kept += data[at : at + step]
        end = messages.whole_characters(kept)
        shown += kept[:end].decode()
        kept = kept[end:]
    assert (shown, kept) == (data.decode(), b"")


def test_what_is_no_text_holds_nothing_back_for_ever():
    assert messages.whole_characters(b"\xff\xff\xff\xff\xff") == 5
    assert messages.whole_characters(b"ab\xe2\x82") == 2
