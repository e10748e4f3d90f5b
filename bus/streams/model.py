"""What the words of a durable stream mean."""

from __future__ import annotations

from dataclasses import dataclass

OPEN, CLOSED, DIED = "", "closed", "died"
"""How a stream stands: it takes more, its owner closed it, or its producer was not heard any more.
"""
DELETED, EXPIRED = "deleted", "expired"
"""How else one can end, told with the hook `stream_closed`."""
BINARY = "application/octet-stream"
JSON = "application/json"


@dataclass(frozen=True)
class Offset:
    """A place in a stream: how many bytes are before it, and of which of the stream's eras it is.

    An era begins where a stream is made, forked, or put back from a backup. What has the number of
    an earlier era is good up to where the next one began, since the bytes are the same up to there.
    """

    era: int
    at: int

    def __str__(self) -> str:
        return f"{self.era:016d}_{self.at:016d}"


START = Offset(0, 0)


@dataclass(frozen=True)
class Producer:
    """Who appends, by its own word: its name, its start, and which append of that this is."""

    id: str
    epoch: int
    seq: int


@dataclass(frozen=True)
class Fork:
    """What a stream begins as a copy of: another's bytes up to a place, and so much more."""

    source: str
    offset: Offset | None = None
    sub: int = 0


@dataclass(frozen=True)
class Wanted:
    """What a stream is to be like."""

    content_type: str | None = None
    ttl_s: int | None = None
    expires_ms: int | None = None
    lease_s: int | None = None
    closed: bool = False
    fork: Fork | None = None
    session_id: str | None = None


@dataclass(frozen=True)
class Append:
    """What is to be added to a stream, or done with it."""

    data: bytes = b""
    content_type: str | None = None
    closes: bool = False
    is_alive: bool = False
    """Its producer says only that it lives."""
    seq: str | None = None
    producer: Producer | None = None


@dataclass(frozen=True)
class Page:
    """Some bytes of a stream as they are kept, and where they end."""

    data: bytes
    end: int


@dataclass(frozen=True)
class Text:
    """The beginning of a stream as text, and whether that is all of it."""

    text: str
    is_whole: bool
