"""Lines to events, by the WHATWG algorithm; the shared cases are `tests/vectors/sse.json`.

It must not know sockets, nor what any event means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.lines import MAX_LINE_BYTES, LineDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_EVENT_CHARS = 4 * MAX_LINE_BYTES
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)  # int() alone would take -5, 1_0 and other scripts


class EventTooLargeError(ValueError):
    """An event has more data than the limit: this is not the stream that was asked for."""


@dataclass(frozen=True)
class Event:
    """One event as a reader sees it; `last_event_id` is where to go on from after it."""

    type: str
    data: str
    last_event_id: str


class EventDecoder:
    """Collects fields until a blank line.

    `last_event_id` moves at a blank line only, also for a block without data: what an
    interrupted block said is not believed. `retry_ms` is the last valid `retry:`, or None.
    """

    def __init__(self, last_event_id: str = "", max_event_chars: int = MAX_EVENT_CHARS) -> None:
        self.last_event_id = last_event_id
        self.retry_ms: int | None = None
        self._max_event_chars = max_event_chars
        self._id = last_event_id
        self._clear()

    def feed(self, line: str) -> Event | None:
        """Take one line; give the event that it completes, if any.

        Raises:
            EventTooLargeError: the data collected so far is over the limit.
        """
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")  # a comment is a field without a name
        self._take_field(name, value.removeprefix(" "))
        return None

    def _take_field(self, name: str, value: str) -> None:
        if name == "data":
            self._take_data(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and _DIGITS.fullmatch(value):
            self.retry_ms = int(value)

    def _take_data(self, value: str) -> None:
        self._data.append(value)
        self._chars += len(value) + 1
        if self._chars > self._max_event_chars:
            raise EventTooLargeError(f"an event has more than {self._max_event_chars} characters")

    def _dispatch(self) -> Event | None:
        self.last_event_id = self._id
        data, event_type = self._data, self._type
        self._clear()
        if not data:  # `data:` alone is an event with empty data; no `data` at all is none
            return None
        return Event(event_type or "message", "\n".join(data), self.last_event_id)

    def _clear(self) -> None:
        self._data: list[str] = []
        self._type = ""
        self._chars = 0


class EventReader:
    """Lines and events together: bytes in, events out. The end of the bytes needs no call."""

    def __init__(self, last_event_id: str = "") -> None:
        self._lines = LineDecoder()
        self._events = EventDecoder(last_event_id)

    @property
    def last_event_id(self) -> str:
        """Where to go on from."""
        return self._events.last_event_id

    @property
    def retry_ms(self) -> int | None:
        """How long the server asked to wait before the next connection."""
        return self._events.retry_ms

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Give the events that this chunk completes."""
        for line in self._lines.feed(chunk):
            event = self._events.feed(line)
            if event is not None:
                yield event
