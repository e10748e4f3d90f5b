"""What of a stream comes next, and who may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.errors import InvalidRequestError, NotFoundError, StreamGoneError
from bus.streams import messages, queries, rules
from bus.streams.model import Page, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Hooks

PAGE_BYTES = 262_144
CHUNKS = 32
"""So many are read at once: from 128 kB of a token each up to 2 MB."""
MOST_SHARED = 16
"""So many pages are kept for others; who follows live is at one of a few places."""


def find(
    conn: sa.Connection, hooks: Hooks, principal: Principal, stream_id: str, now_ms: int
) -> Row:
    """Find a stream that somebody may read; absent, expired and another's are alike.

    Raises:
        NotFoundError: there is none.
        StreamGoneError: it was deleted, and forks of it are there.
    """
    row = queries.find(conn, stream_id)
    if row is None or not may_read(conn, hooks, principal, row):
        raise NotFoundError(f"no stream {stream_id[:60]!r} that you can read")
    check_there(row, now_ms)
    return row


def check_there(row: Row, now_ms: int) -> None:
    """Refuse what is not there any more."""
    if row.deleted_ms is not None:
        raise StreamGoneError(f"{row.id!r} was deleted; forks of it are still there")
    if rules.has_expired(row, now_ms):
        raise NotFoundError(f"no stream {row.id!r}: it has expired")


def may_read(conn: sa.Connection, hooks: Hooks, principal: Principal, row: Row) -> bool:
    """Say whether somebody may read a stream: of a session, its participants alone."""
    if row.session_id is None:
        is_own = row.owner_id == principal.participant_id
        return is_own or directory.sees(principal, directory.get(conn, row.owner_id))
    return any(call(conn, row, principal) for call in hooks.called("may_read_stream"))


def read_page(conn: sa.Connection, row: Row, at: int) -> Page:
    """Read what follows a place, as much as goes into one answer.

    Raises:
        InvalidRequestError: within a message of JSON, where no offset is.
        NotFoundError: it was deleted since it was looked at.
    """
    if at == row.size:
        return Page(b"", at)
    check_between(conn, row, at)
    return read_from(conn, row, at, PAGE_BYTES)


def check_between(conn: sa.Connection, row: Row, at: int) -> None:
    """Refuse a place within a message of JSON: no offset is given there."""
    if not at or not rules.is_json(row.content_type):
        return
    chunk = chunks_from(conn, row, at - 1, 1)[0]
    if chunk.data[at - 1 - chunk.at :][:1] != b"\n":
        raise InvalidRequestError("this offset is within a message: take one as it was given")


def chunks_from(conn: sa.Connection, row: Row, at: int, most: int) -> Sequence[Row]:
    """Read chunks of what a stream had when it was looked at, which another snapshot may not."""
    found = queries.chunks_from(conn, row.place, at, most)
    if not found:
        raise NotFoundError(f"no stream {row.id!r}: it was deleted")
    return found


def read_from(conn: sa.Connection, row: Row, at: int, most: int) -> Page:
    """Read so many bytes from a place on; of JSON whole messages, and one at least."""
    parts: list[bytes] = []
    end, has = at, 0
    by_line = rules.is_json(row.content_type)
    while end < row.size and (has < most or not has):
        for chunk in chunks_from(conn, row, end, CHUNKS):
            part = chunk.data[end - chunk.at :] if chunk.at < end else chunk.data
            parts.append(part)
            end, has = end + len(part), has + len(part)
            if has >= most:
                break
        if by_line and has >= most and not messages.cut_message(b"".join(parts), most):
            most = has + PAGE_BYTES  # a message that is longer than a page is a page
    data = b"".join(parts)[: row.size - at]  # more may have come since the stream was looked at
    if len(data) > most:
        data = data[: messages.cut_message(data, most) if by_line else most]
    return Page(data, at + len(data))


def read_text(conn: sa.Connection, stream_id: str, limit: int) -> Text | None:
    """Read the beginning of a stream as text, so many bytes of it; None where there is none.

    For rooms that have settled who may read.
    """
    row = queries.find(conn, stream_id)
    if row is None or row.deleted_ms is not None:
        return None
    data = read_from(conn, row, 0, min(limit, row.size)).data[:limit] if limit else b""
    whole = data if len(data) == row.size else data[: messages.whole_characters(data)]
    text = whole.decode("utf-8", "replace")
    return Text(text, len(data) == row.size)
