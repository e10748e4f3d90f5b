"""How a stream's bytes are kept and shown: as they come, or as JSON a message a line.

A line is a message without a line end in it, so a message's end is found without reading JSON, and
a page is cut between two messages.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
from typing import TYPE_CHECKING

import msgspec

from bus.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

LINE_END = re.compile("\r\n|\n|\r")
LIST = msgspec.json.Decoder(list[msgspec.Raw])
MOST_OF_A_CHARACTER = 4


def to_lines(body: bytes) -> bytes:
    """Keep JSON: a list's elements are messages of their own, all else is one message.

    Raises:
        InvalidRequestError: it is no JSON.
    """
    try:
        whole = msgspec.json.decode(body)
        each = LIST.decode(body) if isinstance(whole, list) else [body]
        return b"".join(msgspec.json.format(one, indent=-1) + b"\n" for one in each)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError(
            f"this stream is of JSON, and the body is none: {error}"
        ) from error


def to_body(data: bytes, *, is_json: bool) -> bytes:
    """Show what is kept as a body."""
    return b"[" + data.rstrip(b"\n").replace(b"\n", b",") + b"]" if is_json else data


def cut_message(data: bytes, most: int) -> int:
    """Find where the last line within so many bytes ends; 0 where none does."""
    return data.rfind(b"\n", 0, most) + 1


def skip_messages(data: bytes, most: int) -> tuple[int, int]:
    """Pass over so many lines, or all; gives how long and how many they are."""
    end, count = 0, data.count(b"\n")
    if count <= most and data.endswith(b"\n"):
        return len(data), count
    count = 0
    while count < most and end < len(data):
        end, count = data.find(b"\n", end) + 1, count + 1
    return end, count


def whole_characters(data: bytes) -> int:
    """Find where the last whole character of a text ends; what is no text at all counts as whole.

    A producer may have appended half a character, whose rest comes with its next append.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data[-MOST_OF_A_CHARACTER:])
    return len(data) - len(decoder.getstate()[0])


def data_event(data: bytes, *, is_json: bool, is_text: bool) -> bytes:
    """Write what is kept as one event; no text can end it, or begin another."""
    if is_json:
        lines = [to_body(data, is_json=True).decode()]
    elif is_text:
        lines = LINE_END.split(data.decode("utf-8", "replace"))
    else:
        lines = [base64.b64encode(data).decode()]
    # One blank after the colon is not the text's.
    written = "".join(f"data:{' ' if line[:1] == ' ' else ''}{line}\n" for line in lines)
    return f"event: data\n{written}\n".encode()


def control_event(facts: Mapping[str, object]) -> bytes:
    """Write where a reader is."""
    return b"event: control\ndata:" + json.dumps(facts, separators=(",", ":")).encode() + b"\n\n"
