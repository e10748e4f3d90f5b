"""The verbs of durable streams, for its routes and for the rooms below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.errors import ForbiddenError, InvalidRequestError, NotFoundError
from bus.streams import keeping, making, queries, reading, rules, writing
from bus.streams.model import CLOSED, DELETED, Append, Text, Wanted
from bus.streams.reading import read_page, read_text
from bus.streams.spool import Spools
from bus.streams.writing import Appended, topic

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

__all__ = [
    "Append",
    "Appended",
    "Spools",
    "Text",
    "Wanted",
    "append_by",
    "close",
    "create",
    "delete_by",
    "delete_forks",
    "epoch_of",
    "find_readable",
    "find_stream",
    "let_expire",
    "open_of",
    "put",
    "read_page",
    "read_text",
    "register",
    "renew",
    "stay_alive",
    "topic",
]
find_readable = reading.find


def register(hooks: Hooks) -> None:
    """Have the keeper look, and hear who goes."""
    hooks.on("do_due", keeping.do_due)
    hooks.on("first_due", keeping.first_due)
    hooks.on("prune", keeping.prune)
    hooks.on("spared", keeping.spare)
    hooks.on("participant_removed", keeping.on_participant_removed)


def find_stream(conn: sa.Connection, stream_id: str) -> Row | None:
    """Find a stream, whoever asks; None where there is none."""
    row = queries.find(conn, stream_id)
    return None if row is None or row.deleted_ms is not None else row


def create(
    tx: Transaction, owner_id: int, stream_id: str, wanted: Wanted, data: bytes = b""
) -> Row:
    """Make a stream for a participant, or give the one that is there just so."""
    return making.create(tx, owner_id, stream_id, wanted, data)[0]


def close(tx: Transaction, stream_id: str, how: str = CLOSED) -> Row:
    """Close a stream, once; one that is closed stays as it is."""
    row = must_find(tx, stream_id)
    return row if row.closed_ms is not None else writing.close(tx, row, how)


def stay_alive(tx: Transaction, stream_id: str) -> Row:
    """Hear that a stream's producer lives, though it has nothing to add."""
    row = must_find(tx, stream_id)
    if row.closed_ms is not None:
        raise writing.closed(row)
    return writing.change(tx, row, heard_ms=tx.now_ms, touched_ms=tx.now_ms)


def let_expire(tx: Transaction, stream_id: str, after_s: int) -> None:
    """Have a stream be removed when nobody has read it for so long."""
    row = must_find(tx, stream_id)
    row = writing.change(tx, row, ttl_s=after_s, touched_ms=tx.now_ms)
    queries.update(tx.conn, row.place, {"due_ms": rules.due_ms(row)})
    tx.remind(rules.due_ms(row))


def open_of(conn: sa.Connection, session_id: str, owner_id: int) -> list[str]:
    """List the streams of a session that somebody still adds to."""
    return queries.open_of(conn, session_id, owner_id)


def epoch_of(conn: sa.Connection, stream_id: str, producer: str) -> int | None:
    """Give the newest epoch of a producer of a stream; None where it has added nothing yet."""
    row = find_stream(conn, stream_id)
    known = None if row is None else queries.producer(conn, row.place, producer)
    return None if known is None else int(known.epoch)


def delete_forks(tx: Transaction, session_id: str, owner_id: int) -> None:
    """Remove what somebody copied of the streams of a session."""
    for row in queries.forks_in(tx.conn, session_id, owner_id):
        writing.end(tx, row, DELETED)


def must_find(tx: Transaction, stream_id: str) -> Row:
    """Find a stream that is there."""
    row = queries.find(tx.conn, stream_id)
    if row is None:
        raise NotFoundError(f"no stream {stream_id[:60]!r}")
    reading.check_there(row, tx.now_ms)
    return row


def put(
    tx: Transaction, principal: Principal, stream_id: str, wanted: Wanted, data: bytes
) -> tuple[Row, bool]:
    """Make a stream for whoever asks; says whether it is new. What is forked must be readable."""
    rules.check_free(stream_id)
    if wanted.fork is not None:
        source = queries.find(tx.conn, wanted.fork.source)
        if source is not None and not reading.may_read(tx.conn, tx.hooks, principal, source):
            raise NotFoundError(f"no stream {wanted.fork.source[:60]!r} to fork")
    return making.create(tx, principal.participant_id or 0, stream_id, wanted, data)


def append_by(tx: Transaction, principal: Principal, stream_id: str, wanted: Append) -> Appended:
    """Add to a stream of one's own."""
    row = find_own(tx, principal, stream_id)
    if wanted.is_alive:
        return Appended(stay_alive(tx, row.id), is_new=False)
    if not wanted.data and not wanted.closes:
        raise InvalidRequestError("an append has a body; Stream-Closed: true without one closes")
    if wanted.data and wanted.content_type is None:
        raise InvalidRequestError(f"say Content-Type: {row.content_type}, as the stream was made")
    return writing.append(tx, row, wanted)


def delete_by(tx: Transaction, principal: Principal, stream_id: str) -> None:
    """Remove a stream of one's own."""
    writing.end(tx, find_own(tx, principal, stream_id), DELETED)


def find_own(tx: Transaction, principal: Principal, stream_id: str) -> Row:
    """Find a stream that somebody may write: the one who made it alone."""
    row = reading.find(tx.conn, tx.hooks, principal, stream_id, tx.now_ms)
    if row.owner_id != principal.participant_id:
        raise ForbiddenError(f"{row.id!r} is another's: only who made a stream writes to it")
    return row


def renew(tx: Transaction, place: int) -> None:
    """Note that a stream was read, which lengthens its TTL."""
    row = queries.get(tx.conn, place)
    if row is not None and not rules.has_expired(row, tx.now_ms):
        queries.update(tx.conn, place, {"touched_ms": tx.now_ms})
