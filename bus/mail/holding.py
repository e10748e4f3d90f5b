"""What the guard holds back, listed for those who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.guard import service as guard
from bus.mail import queries
from bus.mail.tracing import sees

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal

MOST = 1000
"""So many held threads are looked at for those that the reader may see."""


def list_held(conn: sa.Connection, principal: Principal, limit: int) -> list[dict[str, Any]]:
    """List held threads with what of them the reader may see, the newest first."""
    shown = []
    for hold in guard.list_held(conn, MOST):
        # Who may not see what is held may still have written in the thread.
        kept = (queries.held_in(conn, hold.thread), queries.of_thread(conn, hold.thread))
        found = ([row for row in rows if sees(conn, principal, row)] for rows in kept)
        mine = next(filter(None, found), [])
        if not mine:
            continue
        held = [row.message_id for row in mine if row.state == "held"]
        names = dict.fromkeys(name for row in mine for name in (row.from_name, row.to_name) if name)
        shown.append(
            {
                "thread": hold.thread,
                "reason": hold.reason,
                "held_at": to_text(hold.at_ms),
                "between": list(names),
                "messages": list(dict.fromkeys(held)),
            }
        )
        if len(shown) == limit:
            break
    return shown
