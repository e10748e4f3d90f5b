"""Facts to bytes by the WHATWG rules of event streams. Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.store.log import Row

RETRY_MS = 3000
KEEPALIVE = b":\n"
"""A comment without a blank line after it: some readers take the blank line for an event."""
FIRST = f"retry: {RETRY_MS}\n".encode() + KEEPALIVE


def frame(event: str, data: Mapping[str, Any], cursor: str = "") -> bytes:
    """Write one event; JSON on one line, so that no data can begin a field of its own.

    Raises:
        ValueError: an event or a cursor with a line end or a NUL in it.
    """
    if any(char in name for name in (event, cursor) for char in "\r\n\0"):
        raise ValueError("a name on a stream has no line end and no NUL")
    head = f"id: {cursor}\n" if cursor else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def frame_of(row: Row, epoch: str) -> bytes:
    """Write a row of the log, which keeps its JSON as it goes out: on one line."""
    return f"id: {epoch}-{row.seq}\nevent: {row.kind}\ndata: {row.text}\n\n".encode()
