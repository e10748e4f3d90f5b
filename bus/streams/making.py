"""Making a stream: anew, as it is there already, or as a copy of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.errors import ConflictError, InvalidRequestError, NotFoundError, TooManyDurableError
from bus.streams import messages, queries, rules, writing
from bus.streams.model import CLOSED, EXPIRED, Wanted
from bus.streams.reading import check_between, read_page

if TYPE_CHECKING:
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def create(
    tx: Transaction, owner_id: int, stream_id: str, wanted: Wanted, data: bytes = b""
) -> tuple[Row, bool]:
    """Make a stream, or find it where it is there already as wanted; says whether it is new.

    Raises:
        ConflictError: it is there, and otherwise.
    """
    there = queries.find(tx.conn, rules.check_id(stream_id))
    if there is not None and there.deleted_ms is None and rules.has_expired(there, tx.now_ms):
        writing.end(tx, there, EXPIRED)
        there = queries.find(tx.conn, stream_id)
    if there is not None:
        check_same(tx, there, owner_id, wanted)
        return there, False
    check_room(tx, owner_id)
    source = find_source(tx, wanted)
    place = queries.add(tx.conn, first_values(tx, owner_id, stream_id, wanted, source))
    row = queries.get(tx.conn, place)
    if source is not None:
        row = fill(tx, row, source, wanted)
    if data:
        row = writing.write(tx, row, writing.checked(tx, row, data, is_first=True))
    if wanted.closed:
        row = writing.close(tx, row, CLOSED)
    queries.update(tx.conn, place, {"due_ms": rules.due_ms(row)})
    tx.remind(rules.due_ms(row))
    return row, True


def first_values(
    tx: Transaction, owner_id: int, stream_id: str, wanted: Wanted, source: Row | None
) -> dict[str, object]:
    """Give a new stream's columns; a fork has its source's where nothing is said."""
    values = dict.fromkeys(("source", "fork_at", "last_seq", "closed_ms", "deleted_ms", "due_ms"))
    lasts = {"ttl_s": wanted.ttl_s, "expires_ms": wanted.expires_ms}
    if source is not None and wanted.ttl_s is None and wanted.expires_ms is None:
        lasts = {"ttl_s": source.ttl_s, "expires_ms": source.expires_ms}
    return {
        **values,
        **lasts,
        "id": stream_id,
        "owner_id": owner_id,
        "session_id": wanted.session_id if source is None else source.session_id,
        "content_type": rules.type_of(wanted.content_type, source and source.content_type),
        "lease_s": wanted.lease_s,
        "fork_sub": wanted.fork.sub if wanted.fork else 0,
        "era": tx.now_ms,
        "how": "",
        **dict.fromkeys(("created_ms", "touched_ms", "heard_ms"), tx.now_ms),
        **dict.fromkeys(("era_from", "size", "last_at"), 0),
    }


def check_same(tx: Transaction, row: Row, owner_id: int, wanted: Wanted) -> None:
    """Refuse to make what is there otherwise."""
    if row.deleted_ms is not None:
        raise ConflictError(f"{row.id!r} was deleted, and forks of it are still there")
    if row.owner_id != owner_id:
        raise ConflictError(f"{row.id!r} is another's: take another id")
    fork, source = wanted.fork, None
    if fork is not None:
        source = queries.find(tx.conn, fork.source)
    base = None if fork is None or fork.offset is None else fork.offset.at
    is_same = {
        "content type": (wanted.content_type is None and row.source is not None)
        or rules.base_of(rules.type_of(wanted.content_type)) == rules.base_of(row.content_type),
        "TTL": wanted.ttl_s == row.ttl_s or (fork is not None and wanted.ttl_s is None),
        "time of expiry": wanted.expires_ms == row.expires_ms
        or (fork is not None and wanted.expires_ms is None),
        "lease": wanted.lease_s == row.lease_s,
        "end: one is closed": wanted.closed == (row.closed_ms is not None),
        "fork": (source and source.place) == row.source
        and (base is None or base == row.fork_at)
        and (fork.sub if fork else 0) == row.fork_sub,
    }
    differs = [what for what, same in is_same.items() if not same]
    if differs:
        raise ConflictError(f"{row.id!r} is there already, with another {', '.join(differs)}")


def check_room(tx: Transaction, owner_id: int) -> None:
    """Refuse one more than a participant may have."""
    most, most_bytes = tx.config.durable_each, tx.config.durable_bytes_each
    has = queries.of_owner(tx.conn, owner_id)
    if has.count >= most:
        raise TooManyDurableError(
            f"{has.count} durable streams are yours; at most {most}: delete what is over, or give "
            "new ones a Stream-TTL"
        )
    if (has.bytes or 0) >= most_bytes:
        raise TooManyDurableError(
            f"your durable streams have {has.bytes} bytes; at most {most_bytes}: delete some"
        )


def find_source(tx: Transaction, wanted: Wanted) -> Row | None:
    """Find what a stream is forked from; whoever forks it may read it."""
    if wanted.fork is None:
        return None
    source = queries.find(tx.conn, wanted.fork.source)
    if source is None:
        raise NotFoundError(f"no stream {wanted.fork.source[:60]!r} to fork")
    if source.deleted_ms is not None or rules.has_expired(source, tx.now_ms):
        raise ConflictError(f"{source.id!r} was deleted; it cannot be forked any more")
    given = wanted.content_type
    if given is not None and rules.base_of(given) != rules.base_of(source.content_type):
        raise ConflictError(f"a fork of {source.id!r} has its content type, {source.content_type}")
    return source


def fill(tx: Transaction, row: Row, source: Row, wanted: Wanted) -> Row:
    """Copy into a fork what it begins with."""
    fork = wanted.fork
    assert fork is not None  # noqa: S101 - there is a source
    base = source.size if fork.offset is None else rules.place_of(fork.offset, source)
    check_between(tx.conn, source, base)
    upto = after(tx, source, base, fork.sub)
    queries.copy_chunks(tx.conn, source.place, row.place, upto)
    now = {"source": source.place, "fork_at": base, "size": upto, "era_from": upto}
    return writing.change(tx, row, **now, last_at=queries.last_at(tx.conn, row.place))


def after(tx: Transaction, source: Row, base: int, sub: int) -> int:
    """Find the place so many bytes, or messages of JSON, after another."""
    if not rules.is_json(source.content_type):
        base += sub
    while sub and rules.is_json(source.content_type) and base < source.size:
        page = read_page(tx.conn, source, base)
        length, counted = messages.skip_messages(page.data, sub)
        base, sub = base + length, sub - counted
    if base > source.size or (sub and rules.is_json(source.content_type)):
        raise InvalidRequestError("Stream-Fork-Sub-Offset is beyond the end of what is forked")
    return base
