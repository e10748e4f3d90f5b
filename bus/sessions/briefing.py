"""What sessions tell in a brief: where something was said that its reader has not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.mail.model import SYSTEM
from bus.mail.rules import quote
from bus.sections import Entry, Section
from bus.sessions import queries
from bus.sessions.model import PREVIEW
from bus.sessions.writing import preview

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sections import Span
    from bus.store.statement import Row

SCAN = 1000
QUOTED = 160


def tell(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell what is unread, since whenever; to the administration nothing."""
    me = principal.participant_id
    if me is None:
        return []
    rows = queries.list_of(conn, me, None, None, most=SCAN, preview=2 * PREVIEW)
    unread = [row for row in rows if row.place > row.cursor]
    entries = tuple(entry_of(row) for row in unread[: span.most])
    where = ("bus session list", "/api/sessions")
    title = "sessions with what you have not read"
    return [Section("sessions", title, 45, entries, len(unread), len(rows) == SCAN, *where)]


def entry_of(row: Row) -> Entry:
    """Tell of a session: its title and what was said last are others' words."""
    who = row.last_author_name or row.last_author or SYSTEM
    said = f"{who} {quote(preview(row.last_body or ''), QUOTED)}"
    text = f"{row.place - row.cursor} unread in {quote(row.title)} ({row.id}), the last: {said}"
    return Entry(row.changed_ms, text, row.id, row.thread)
