"""Reading entries, and how far somebody has read: a cursor follows its participant everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bus.errors import InvalidRequestError
from bus.sessions import finding, queries, render, showing
from bus.sessions.writing import concerns
from bus.store.log import append

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.mail import service as mail
    from bus.sessions.model import Page
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

HIGHEST = 2**62


def read_page(conn: sa.Connection, session: Row, page: Page) -> list[Row]:
    """Read a page of entries, oldest first."""
    if page.after is not None:
        return list(queries.after(conn, session.number, page.after, page.limit))
    before = HIGHEST if page.before is None else page.before
    return list(reversed(queries.before(conn, session.number, before, page.limit)))


def show_page(
    conn: sa.Connection, principal: Principal, session_id: str, page: Page
) -> dict[str, Any]:
    """Show a page of a session, and where the pages beside it begin."""
    session = finding.find(conn, principal, session_id)
    rows = read_page(conn, session, page)
    mine = finding.find_member(conn, session, principal.participant_id or 0)
    cursor = 0 if mine is None else mine.cursor
    return {
        "session_id": session.id,
        "entries": [showing.show_entry(row) for row in rows],
        "before": rows[0].place if rows and rows[0].place > 1 else None,
        "after": rows[-1].place if rows and rows[-1].place < session.place else None,
        "last_place": session.place,
        "cursor": cursor,
        "unread": session.place - cursor,
    }


def write_missed(  # noqa: PLR0913, PLR0917 - whose, of what, how much, and how it is marked
    conn: sa.Connection,
    principal: Principal,
    session_id: str,
    page: Page,
    reader: mail.Reader,
    max_bytes: int,
    mark: str,
) -> str:
    """Write what somebody missed since its cursor as a text, or the page that is asked for."""
    session = finding.find(conn, principal, session_id)
    mine = finding.find_member(conn, session, principal.participant_id or 0)
    cursor = 0 if mine is None else int(mine.cursor)
    if page.before is None and page.after is None:
        page = replace(page, after=cursor)
    rows = read_page(conn, session, page)
    names = [one.name for one in queries.members(conn, session.number)]
    bodies = render.fit(rows, max_bytes)
    return render.to_text_page(render.Seen(session, names, cursor, rows, bodies), reader, mark)


def move_cursor(
    tx: Transaction, principal: Principal, session_id: str, place: int
) -> dict[str, Any]:
    """Take everything up to a place as read. A cursor never goes back: further ahead it stays."""
    session = finding.find(tx.conn, principal, session_id)
    if not 0 <= place <= session.place:
        raise InvalidRequestError(f"'place' is 0 to {session.place}, the last of this session")
    me = principal.participant_id or 0
    if queries.move_cursor(tx.conn, session.number, me, place):
        tell_cursor(tx, session, principal.name, me, place)
    now = finding.find_member(tx.conn, session, me)
    cursor = place if now is None else int(now.cursor)
    return {"session_id": session.id, "cursor": cursor, "unread": session.place - cursor}


def has_read(conn: sa.Connection, session_id: str, participant_id: int, place: int) -> bool:
    """Say whether an entry is nothing new to somebody: it was read, or is not theirs any more."""
    session = queries.find(conn, session_id)
    mine = None if session is None else finding.find_member(conn, session, participant_id)
    return mine is None or bool(mine.cursor >= place)


def tell_cursor(tx: Transaction, session: Row, name: str, participant_id: int, place: int) -> None:
    """Have the other devices of a participant know how far it has read; nobody else hears it."""
    data = {
        "to_agent": name,
        "session": session.id,
        "what": "cursor",
        "place": place,
        "unread": session.place - place,
        "at": tx.now_text,
    }
    append(tx, "session", data, concerns(session, participant_id))


def describe(
    conn: sa.Connection, principal: Principal, ids: Collection[str]
) -> dict[str, tuple[str, int]]:
    """Give the title of each of some sessions that a reader is in, and how much is unread."""
    me = principal.participant_id or 0
    rows: Sequence[Row] = queries.with_ids(conn, list(ids), me)
    return {row.id: (row.title, row.place - row.cursor) for row in rows}
