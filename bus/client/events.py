"""The stream as events: bytes to lines to events by the WHATWG rules, resumed and reconnected.

It opens nothing by itself and knows no call but the stream; who reads it decides what an event
means.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError, ReadTimeoutError

from bus.client.failures import ClientError
from bus.client.transport import HELD_BACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from requests import Response

BEAT = "heartbeat"
"""The kind of what is given for a comment, which is no event: nothing happened, the link lives."""
READ_BYTES = 65_536
LONGEST_PAUSE_S = 30.0
MOST_DIGITS = 18


@dataclass(frozen=True)
class Event:
    """One event: its name, the cursor that holds after it, and its data as it came."""

    kind: str
    cursor: str
    text: str

    @property
    def data(self) -> dict[str, Any]:
        """The data as a JSON object; an empty one where it is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass
class LineSplitter:
    """Cuts bytes into lines at CRLF, CR or LF, wherever the network cut them before."""

    _rest: bytes = b""
    _after_cr: bool = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take some bytes and give the lines that are whole now."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        lines = (self._rest + chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        self._rest = lines.pop()
        return lines


@dataclass
class EventParser:
    """Lines in, events out; remembers the cursor and the pause between connections.

    With `has_beats` the bus's heartbeats are given too, for a reader that looks by the clock.
    """

    cursor: str = ""
    pause_s: float = 3.0
    has_beats: bool = False
    _kind: str = ""
    _data: list[str] = field(default_factory=list)
    _id: str | None = None

    def feed(self, line: bytes) -> Event | None:
        """Take one line; a blank one may end an event."""
        if not line:
            return self._dispatch()
        if self.has_beats and line.startswith(b":"):
            return Event(BEAT, self.cursor, "")
        name, _, value = line.decode("utf-8", errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and len(value) <= MOST_DIGITS and value.isascii() and value.isdigit():
            self.pause_s = int(value) / 1000
        return None

    def restart(self) -> None:
        """Forget a half-read event: the connection that carried it is gone."""
        self._kind, self._data, self._id = "", [], None

    def _dispatch(self) -> Event | None:
        self.cursor = self.cursor if self._id is None else self._id
        kind, data = self._kind or "message", self._data
        self.restart()
        return Event(kind, self.cursor, "\n".join(data)) if data else None


def read_lines(response: Response) -> Iterator[bytes]:
    """Give each line as soon as its last byte is here, without a byte order mark at the start.

    `read1` returns what has arrived; the line iterators of the libraries wait for a full block
    or make two ends of one CRLF.
    """
    splitter = LineSplitter()
    is_first = True
    while chunk := response.raw.read1(READ_BYTES):
        for line in splitter.feed(chunk):
            yield line.removeprefix(b"\xef\xbb\xbf") if is_first else line
            is_first = False


def read_events(lines: Iterable[bytes], parser: EventParser) -> Iterator[Event]:
    """Give the events of one connection."""
    parser.restart()
    for line in lines:
        event = parser.feed(line)
        if event is not None:
            yield event


@dataclass
class Follower:
    """Reads a stream for ever: an end, a silence or a busy bus is followed by a new connection.

    `connect(cursor)` opens it; `broken(why, pause_s, code)` is told of each end, with the
    code of a refusal or an empty one, and may raise to stop.
    """

    connect: Callable[[str], Response]
    broken: Callable[[str, float, str], None]
    parser: EventParser
    sleep: Callable[[float], None] = time.sleep
    failures: int = 0
    is_heard: bool = False
    """Whether a line came on this connection."""

    def events(self) -> Iterator[Event]:
        """Give every event from the cursor on.

        Raises:
            ClientError: the bus refused the stream for good (a wrong token, say).
        """
        while True:
            least_s, code = 0.0, ""
            try:
                yield from self._one_connection()
                why = "the stream ended"
            except ClientError as error:
                if not error.passes:
                    raise
                self.failures += 1
                why, least_s, code = error.detail, error.retry_after or 0.0, error.code
            except (HTTPError, HTTPException, OSError) as error:
                # The bus sends the first line at once: one that never came was kept back.
                is_held = isinstance(error, ReadTimeoutError) and not self.is_heard
                why = HELD_BACK if is_held else f"the stream broke ({type(error).__name__})"
            pause_s = max(least_s, self._pause_s())
            self.broken(why, pause_s, code)
            self.sleep(pause_s)

    def _one_connection(self) -> Iterator[Event]:
        self.is_heard = False
        with contextlib.closing(self.connect(self.parser.cursor)) as response:
            for event in read_events(self._heard(read_lines(response)), self.parser):
                self.failures = 0
                self._keep_place(event)
                yield event

    def _heard(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.is_heard = True
            yield line

    def _keep_place(self, event: Event) -> None:
        """Turn `now` into the place that it was, so that a break soon after it loses nothing."""
        if event.kind == "hello" and self.parser.cursor == "now":
            self.parser.cursor = f"{event.data.get('epoch')}-{event.data.get('head')}"

    def _pause_s(self) -> float:
        """Give a pause at random below a growing limit, so that readers do not come back at once.

        The first connection after a good one is not held up by more than the bus asked for.
        """
        limit_s = min(LONGEST_PAUSE_S, self.parser.pause_s * 2**self.failures)
        return random.uniform(0, limit_s)  # noqa: S311 - jitter, not a secret
