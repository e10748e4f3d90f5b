"""Finding a session for somebody who is in it: for all others there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.errors import NotFoundError, SessionClosedError
from bus.sessions import queries
from bus.sessions.model import CLOSED

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.statement import Row


def find(conn: sa.Connection, principal: Principal, session_id: str) -> Row:
    """Find a session that a principal is in; absent and others' are alike."""
    row = queries.find(conn, session_id)
    if row is None or not is_in(conn, row, principal.participant_id):
        raise NotFoundError(f"no session {session_id[:40]!r} that you are in")
    return row


def find_open(conn: sa.Connection, principal: Principal, session_id: str) -> Row:
    """Find a session that takes entries."""
    row = find(conn, principal, session_id)
    check_open(row)
    return row


def get(conn: sa.Connection, session_id: str) -> Row:
    """Get a session that is known to exist."""
    row = queries.find(conn, session_id)
    if row is None:
        raise NotFoundError
    return row


def check_open(row: Row) -> None:
    """Refuse what a closed session does not take."""
    if row.state == CLOSED:
        raise SessionClosedError(f"session {row.id} is closed: bus session reopen {row.id}")


def is_in(conn: sa.Connection, row: Row, participant_id: int | None) -> bool:
    """Say whether somebody is in a session."""
    return participant_id is not None and find_member(conn, row, participant_id) is not None


def find_member(conn: sa.Connection, row: Row, participant_id: int) -> Row | None:
    """Find what somebody is to a session, who is in it."""
    known = queries.member(conn, row.number, participant_id)
    return known if known is not None and known.left_ms is None else None


def member_named(conn: sa.Connection, row: Row, name: str) -> Row:
    """Find somebody who is in a session by name."""
    there = queries.members(conn, row.number)
    for one in there:
        if one.name == name.lower():
            return one
    names = ", ".join(one.name for one in there)
    raise NotFoundError(f"{name[:70]!r} is not in this session; in it are {names}")


def me_of(conn: sa.Connection, principal: Principal) -> Participant:
    """Give the participant that a principal is."""
    return directory.get(conn, principal.participant_id or 0)
