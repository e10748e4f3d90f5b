"""Every statement of approvals, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.steering.model import OPEN
from bus.store.deadlines import Deadlines
from bus.store.schema import approvals, entries, participants, sessions
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bus.store.statement import Row

asker, answerer = participants.alias("asker"), participants.alias("answerer")
FULL = sa.select(
    approvals,
    sessions.c.id.label("session_id"),
    sessions.c.title.label("session_title"),
    entries.c.place,
    asker.c.name.label("asker"),
    asker.c.kind.label("asker_kind"),
    answerer.c.name.label("answered_by"),
).select_from(
    approvals.join(sessions, sessions.c.number == approvals.c.session_number)
    .join(entries, entries.c.id == approvals.c.entry_id)
    .join(asker, asker.c.id == approvals.c.asker_id)
    .outerjoin(answerer, answerer.c.id == approvals.c.answered_by_id)
)
"""An approval with its session and the names of now: the row that the whole room works on."""
ANY_NUMBER = 2**62
INSERT = insert(
    approvals,
    *("id", "session_number", "entry_id", "asker_id", "run_id", "title", "body", "options"),
    *("who", "on_expiry", "state", "created_ms", "expires_ms", "due_ms"),
)
UPDATE = Update(approvals, "id")
FIND = Statement(FULL.where(approvals.c.id == bind("approval_id")))
DEADLINES = Deadlines(approvals, FULL)
due, first_due = DEADLINES.due, DEADLINES.first_due


def insert_approval(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT.run(conn, values)


def update(conn: sa.Connection, approval_id: str, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, approval_id, values)


def find(conn: sa.Connection, approval_id: str) -> Row | None:
    return FIND.first(conn, approval_id=approval_id)


def at(conn: sa.Connection, approval_id: str) -> Row:
    """Read an approval that is there."""
    return FIND.rows(conn, approval_id=approval_id)[0]


IS_OPEN = sa.literal_column("approvals.state") == sa.literal_column(f"'{OPEN}'")
OF_ASKER = Statement(FULL.where(approvals.c.asker_id == bind("whose"), approvals.c.due_ms > 0))
OF_SESSION = Statement(FULL.where(approvals.c.session_number == bind("number"), IS_OPEN))
OF_RUN = Statement(FULL.where(approvals.c.due_ms > 0, approvals.c.run_id == bind("run_id")))


def open_of(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    """List what somebody has asked and nobody has answered."""
    return OF_ASKER.rows(conn, whose=participant_id)


def open_in(conn: sa.Connection, session_number: int) -> Sequence[Row]:
    return OF_SESSION.rows(conn, number=session_number)


def open_for_run(conn: sa.Connection, run_id: str) -> Sequence[Row]:
    return OF_RUN.rows(conn, run_id=run_id)


def newest(  # noqa: PLR0913, PLR0917 - whose, which, and how far one has come
    conn: sa.Connection, me: int, numbers: Sequence[int], state: str, before: int, page: int
) -> Iterator[Row]:
    """Read what somebody asked, and what was asked in some sessions, newest first, by pages.

    `state` is `all` or one state.
    """
    whose = sa.or_(approvals.c.asker_id == me, approvals.c.session_number.in_(numbers))
    query = FULL.where(whose)
    if state != "all":
        query = query.where(approvals.c.state == state)
    while True:
        found = query.where(approvals.c.number < before).order_by(approvals.c.number.desc())
        rows = conn.execute(found.limit(page)).all()
        yield from rows
        if len(rows) < page:
            return
        before = rows[-1].number


def hasten(conn: sa.Connection, by_ms: int) -> None:
    """Have no open approval expire later than a time."""
    conn.execute(approvals.update().where(approvals.c.due_ms > by_ms).values(due_ms=by_ms))


def forget(conn: sa.Connection, session_number: int) -> None:
    """Remove all that was asked in a session."""
    conn.execute(approvals.delete().where(approvals.c.session_number == session_number))


def prune(conn: sa.Connection, before_ms: int, limit: int) -> int:
    """Remove approvals that ended before a time; their entries say what came of them."""
    query = sa.select(approvals.c.number).where(approvals.c.ended_ms < before_ms)
    old = conn.execute(query.limit(limit)).scalars().all()
    conn.execute(approvals.delete().where(approvals.c.number.in_(old)))
    return len(old)
