"""Adding to a stream and ending it: each within one transaction of the one writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.errors import (
    BodyTooLargeError,
    ConflictError,
    InvalidRequestError,
    StreamClosedError,
    StreamFullError,
    TooManyDurableError,
)
from bus.streams import messages, queries, rules
from bus.streams.model import CLOSED, Append, Offset
from bus.streams.reading import check_there

if TYPE_CHECKING:
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

FULL_BYTES = 4096
"""A chunk that is shorter is added to: of a token each, there would be as many rows as tokens."""
PIECE_BYTES = 65_536
"""What is longer is kept in pieces, so that no read has to hold more than it wants."""
COUNTED_BYTES = 1 << 20
"""What a participant has in all is counted whenever a stream has grown by so much."""


@dataclass(frozen=True)
class Appended:
    """What became of an append: the stream as it is now, and whether the bytes are new."""

    row: Row
    is_new: bool
    seq: int | None = None
    """The highest number that its producer has come to."""


def topic(place: int) -> str:
    """Name the topic of who follows a stream."""
    return f"stream {place}"


def append(tx: Transaction, row: Row, wanted: Append) -> Appended:
    """Add to a stream, and close it where that is wanted: both, or neither.

    Raises:
        StreamClosedError: it takes nothing more.
        StaleEpochError, SequenceGapError, ConflictError: it is out of order.
    """
    check_there(row, tx.now_ms)
    producer, known = wanted.producer, None
    if producer is not None:
        known = queries.producer(tx.conn, row.place, producer.id)
        if rules.is_repeated(producer, known):
            return Appended(row, is_new=False, seq=known and known.seq)
    if row.closed_ms is not None:
        if wanted.closes and not wanted.data and producer is None:
            return Appended(row, is_new=False)
        raise closed(row)
    data = checked(tx, row, wanted.data, given=wanted.content_type) if wanted.data else b""
    if wanted.seq is not None:
        if row.last_seq is not None and wanted.seq.encode() <= row.last_seq.encode():
            raise ConflictError(f"Stream-Seq comes after {row.last_seq[:60]!r}, by its bytes")
        row = change(tx, row, last_seq=wanted.seq)
    if producer is not None:
        at = (producer.epoch, producer.seq)
        queries.keep_producer(tx.conn, row.place, producer.id, at, is_new=known is None)
    row = write(tx, row, data)
    if wanted.closes:
        row = close(tx, row, CLOSED)
    return Appended(row, is_new=bool(data), seq=None if producer is None else producer.seq)


def closed(row: Row) -> StreamClosedError:
    why = "it is closed" if row.how == CLOSED else "the bus closed it: its producer was silent"
    offset = str(Offset(row.era, row.size))
    return StreamClosedError(f"{row.id!r} takes nothing more: {why}", next_offset=offset)


def checked(
    tx: Transaction, row: Row, data: bytes, *, given: str | None = None, is_first: bool = False
) -> bytes:
    """Refuse what a stream does not take, and give the rest as it is kept."""
    if given is not None and rules.base_of(given) != rules.base_of(row.content_type):
        raise ConflictError(f"{row.id!r} is of {row.content_type}, not of {given[:60]}")
    most = tx.config.durable_append_bytes
    if len(data) > most:
        raise BodyTooLargeError(f"one append has at most {most} bytes; this has {len(data)}")
    if rules.is_json(row.content_type):
        data = messages.to_lines(data)
        if not data and not is_first:
            raise InvalidRequestError("an empty list adds nothing")
    most = tx.config.durable_stream_bytes
    if row.size + len(data) > most:
        raise StreamFullError(f"{row.id!r} has {row.size} of at most {most} bytes; open another")
    if row.size // COUNTED_BYTES != (row.size + len(data)) // COUNTED_BYTES:
        has = queries.of_owner(tx.conn, row.owner_id)
        if (has.bytes or 0) + len(data) > tx.config.durable_bytes_each:
            raise TooManyDurableError(f"your durable streams have {has.bytes} bytes: delete some")
    return data


def write(tx: Transaction, row: Row, data: bytes) -> Row:
    """Keep bytes at a stream's end, and have who follows it look."""
    size, last_at, rest = row.size, row.last_at, data
    if rest and size > last_at and size - last_at + len(rest) <= FULL_BYTES:
        queries.lengthen(tx.conn, row.place, last_at, rest)
        size, rest = size + len(rest), b""
    while rest:
        piece, rest = rest[:PIECE_BYTES], rest[PIECE_BYTES:]
        queries.add_chunk(tx.conn, row.place, size, piece)
        size, last_at = size + len(piece), size
    tx.look_again(topic(row.place))
    now = {"size": size, "last_at": last_at, "touched_ms": tx.now_ms, "heard_ms": tx.now_ms}
    return change(tx, row, **now)


def close(tx: Transaction, row: Row, how: str) -> Row:
    """End a stream; it can be read as before."""
    row = change(tx, row, closed_ms=tx.now_ms, how=how)
    tx.look_again(topic(row.place))
    tx.announce("stream_closed", stream=row, how=how)
    return row


def end(tx: Transaction, row: Row, how: str) -> None:
    """Remove a stream and its bytes; while it has forks, its id stays taken."""
    if row.closed_ms is None and row.deleted_ms is None:
        tx.announce("stream_closed", stream=row, how=how)
    queries.empty(tx.conn, row.place)
    tx.look_again(topic(row.place))
    gone: Row | None = row
    while gone is not None:  # a chain of forks can be as long as somebody likes
        if queries.has_forks(tx.conn, gone.place):
            now = {"deleted_ms": tx.now_ms, "due_ms": None, "size": 0}
            queries.update(tx.conn, gone.place, now)
            return
        queries.remove(tx.conn, gone.place)
        source = None if gone.source is None else queries.get(tx.conn, gone.source)
        gone = source if source is not None and source.deleted_ms is not None else None


def change(tx: Transaction, row: Row, **values: object) -> Row:
    """Change a stream; gives it as it is then."""
    queries.update(tx.conn, row.place, values)
    return row._replace(**values)
