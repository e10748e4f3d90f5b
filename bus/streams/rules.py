"""What the headers and the query of the protocol say, and what follows. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bus.clock import from_text
from bus.errors import InvalidRequestError, SequenceGapError, StaleEpochError, StreamGoneError
from bus.streams.model import BINARY, JSON, START, Offset, Producer

if TYPE_CHECKING:
    from typing import Protocol

    class Headers(Protocol):
        """The headers of a request."""

        def get(self, name: str, /) -> str | None: ...


ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.~-]{1,200}")
ENTRY_ID = re.compile(r"e_[0-9A-HJKMNP-TV-Z]{26}")
OFFSET = re.compile(r"(\d{16})_(\d{16})")
NUMBER = re.compile(r"0|[1-9]\d{0,15}")
SECONDS = re.compile(r"0|[1-9]\d{0,9}")
WORD = r"[A-Za-z0-9!#$&^_.+-]+"
TYPE = re.compile(rf'{WORD}/{WORD}(?:\s*;\s*{WORD}=(?:{WORD}|"[ !#-\[\]-~]*"))*')
INERT = frozenset({BINARY, JSON, "text/plain", "text/markdown"})
MOST_TYPE_CHARS, MOST_NAME_CHARS = 200, 200
MOST_NUMBER = 2**53 - 1
PRODUCER = ("Producer-Id", "Producer-Epoch", "Producer-Seq")
CURSOR_FROM_MS, CURSOR_MS = 1_728_432_000_000, 20_000
"""Cursors count intervals of 20 s from 2024-10-09, as the protocol has it."""
MOST_JITTER = 180


def check_id(stream_id: str) -> str:
    """Refuse what no stream can be called."""
    if not ID.fullmatch(stream_id):
        raise InvalidRequestError("a stream's id is 1 to 200 of A-Z a-z 0-9 _ . ~ -")
    return stream_id


def check_free(stream_id: str) -> None:
    """Refuse an id that an entry of a session has: what is there is said by its author alone."""
    if ENTRY_ID.fullmatch(stream_id):
        raise InvalidRequestError(
            f"{stream_id} is the id of an entry of a session: POST /api/sessions/ID/outputs makes "
            "its stream; take another id"
        )


def read_type(given: str | None) -> str | None:
    """Read a content type, as it will be shown again."""
    if not given:
        return None
    if len(given) > MOST_TYPE_CHARS or not TYPE.fullmatch(given.strip()):
        raise InvalidRequestError(f"Content-Type {given[:60]!r} is none: type/subtype")
    return given.strip()


def base_of(content_type: str) -> str:
    """Give a content type without what it says of it, in small letters: by that types are alike."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    return base_of(content_type) == JSON


def inert_type(content_type: str) -> str:
    """Give a content type that no browser runs, applies or draws as a page."""
    return content_type if base_of(content_type) in INERT else BINARY


def is_text(content_type: str) -> bool:
    """Say whether it goes into an event as it is."""
    return base_of(content_type).startswith("text/") or is_json(content_type)


def read_seconds(name: str, given: str | None) -> int | None:
    """Read a number of seconds as the protocol writes it."""
    if given is None:
        return None
    if not SECONDS.fullmatch(given):
        raise InvalidRequestError(f"{name} is a number of seconds such as 3600, not {given[:40]!r}")
    return int(given)


def read_time(given: str | None) -> int | None:
    """Read when a stream ends, in ms."""
    if given is None:
        return None
    try:
        return from_text(given)
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(
            f"Stream-Expires-At is an RFC 3339 time such as 2026-11-20T21:04:05Z: {error}"
        ) from error


def read_flag(name: str, given: str | None) -> bool:
    """Read a header that is `true` or not there."""
    if given is None or given.lower() == "true":
        return given is not None
    raise InvalidRequestError(f"{name} is true, or left out")


def read_number(name: str, given: str) -> int:
    """Read a number that JavaScript can have, too."""
    if not NUMBER.fullmatch(given) or int(given) > MOST_NUMBER:
        raise InvalidRequestError(f"{name} is a whole number from 0 on, not {given[:40]!r}")
    return int(given)


def read_offset(given: str) -> Offset:
    """Read an offset as this bus writes it."""
    found = OFFSET.fullmatch(given)
    if found is None:
        raise InvalidRequestError(
            f"{given[:60]!r} is no offset: take one from Stream-Next-Offset, -1 or now"
        )
    return Offset(int(found[1]), int(found[2]))


def read_producer(headers: Headers) -> Producer | None:
    """Read who appends: all three headers, or none."""
    given = [headers.get(name) for name in PRODUCER]
    if all(one is None for one in given):
        return None
    name, epoch, seq = given
    if not name or epoch is None or seq is None:
        raise InvalidRequestError(f"{', '.join(PRODUCER)} come together, and none is empty")
    if len(name) > MOST_NAME_CHARS:
        raise InvalidRequestError(f"Producer-Id has at most {MOST_NAME_CHARS} characters")
    return Producer(name, read_number(PRODUCER[1], epoch), read_number(PRODUCER[2], seq))


def is_repeated(producer: Producer, known: Any) -> bool:
    """Say whether an append was taken before; `known` is what is kept of the producer, or None.

    Raises:
        StaleEpochError: a newer start of this producer has written.
        SequenceGapError: an append before this one is missing.
        InvalidRequestError: a new start does not begin at 0.
    """
    if known is not None and producer.epoch < known.epoch:
        raise StaleEpochError(
            f"producer {producer.id[:60]!r} is at epoch {known.epoch}; one of epoch "
            f"{producer.epoch} writes no more",
            epoch=known.epoch,
        )
    if known is not None and producer.epoch > known.epoch and producer.seq != 0:
        raise InvalidRequestError("a new Producer-Epoch begins with Producer-Seq 0")
    expected = known.seq + 1 if known is not None and producer.epoch == known.epoch else 0
    if producer.seq > expected:
        raise SequenceGapError(
            f"Producer-Seq {expected} comes next, not {producer.seq}",
            expected_seq=expected,
            received_seq=producer.seq,
        )
    return producer.seq < expected


def place_of(offset: Offset, row: Any) -> int:
    """Find how many bytes of a stream are before an offset.

    Raises:
        StreamGoneError: of what the reader had read there, the stream has something else now.
        InvalidRequestError: there is no such place.
    """
    if offset.at > row.size or offset.era > row.era:
        if START.era < offset.era < row.era:
            raise gone(row)
        raise InvalidRequestError(
            f"offset {offset} is beyond this stream's end, {Offset(row.era, row.size)}"
        )
    if offset.era < row.era and offset.at > row.era_from:
        raise gone(row)
    return offset.at


def gone(row: Any) -> StreamGoneError:
    return StreamGoneError(
        "the stream was made anew, or put back from a backup, since this offset was given; what "
        f"follows is not what you would have read: begin at {Offset(row.era, row.era_from)} or -1"
    )


def ends_ms(row: Any) -> int | None:
    """Give when a stream expires, as it is known now."""
    if row.expires_ms is not None:
        return int(row.expires_ms)
    return None if row.ttl_s is None else int(row.touched_ms + row.ttl_s * 1000)


def dies_ms(row: Any) -> int | None:
    """Give until when its producer must be heard."""
    if row.lease_s is None or row.closed_ms is not None:
        return None
    return int(row.heard_ms + row.lease_s * 1000)


def due_ms(row: Any) -> int | None:
    """Give when time does something to it; None for one that is deleted already."""
    if row.deleted_ms is not None:
        return None
    times = [at_ms for at_ms in (ends_ms(row), dies_ms(row)) if at_ms is not None]
    return min(times, default=None)


def has_expired(row: Any, now_ms: int) -> bool:
    at_ms = ends_ms(row)
    return at_ms is not None and at_ms <= now_ms


def is_worth_renewing(row: Any, now_ms: int) -> bool:
    """Say whether a read should be written down: within a sixteenth of its TTL once is enough."""
    return row.ttl_s is not None and now_ms - row.touched_ms > row.ttl_s * 1000 // 16


def cursor_at(now_ms: int) -> int:
    """Count the intervals since the cursors' beginning."""
    return (now_ms - CURSOR_FROM_MS) // CURSOR_MS


def least_cursor(given: str | None, now_ms: int, fraction: float) -> int:
    """Give the cursor below which none may be given to who sent one: they only go forward."""
    if given is None or not given.isascii() or not given.isdigit() or len(given) > 16:
        return 0
    theirs = int(given)
    return theirs + 1 + int(fraction * MOST_JITTER) if theirs >= cursor_at(now_ms) else 0


def type_of(wanted: str | None, source: str | None = None) -> str:
    """Give a new stream's content type."""
    return wanted or source or BINARY
