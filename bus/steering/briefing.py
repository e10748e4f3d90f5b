"""What steering tells in a brief: what its reader is asked and has not answered, since whenever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import from_text
from bus.mail.rules import quote
from bus.sections import Entry, Section
from bus.steering.model import Asked
from bus.steering.showing import list_approvals

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sections import Span

QUOTED = 160
MOST = 200
"""So many approvals are looked at, the newest."""


def tell(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell a person what waits for an answer; nobody else is asked anything."""
    if principal.kind != "person":
        return []
    page = list_approvals(conn, principal, Asked(limit=MOST))
    mine = [one for one in page["approvals"] if one["may_answer"]]
    entries = tuple(entry_of(one) for one in mine[: span.most])
    where = ("bus session approvals", "/api/approvals")
    title = "what waits for your answer"
    return [Section("approvals", title, 6, entries, len(mine), page["next"] is not None, *where)]


def entry_of(one: dict[str, Any]) -> Entry:
    """Tell who asks what, and until when; the title is another's words."""
    until = f"until {one['expires_at']} ({one['approval_id']})"
    where = f"in {one['session_id']}"
    text = f"{one['asked_by']} asks {quote(one['title'], QUOTED)} {where}, {until}"
    return Entry(from_text(one["asked_at"]), text, one["approval_id"])
