"""Which alerts there are and how far one has come, as far as their readers may see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.alerts import queries
from bus.alerts.model import ACKED, OPEN, SETTLED
from bus.alerts.rules import next_place
from bus.clock import shown_time, to_text
from bus.directory import service as directory
from bus.errors import NotFoundError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row

BEHIND_ALL = "b"
"""A place behind every id of an alert."""


def find(conn: sa.Connection, principal: Principal, alert_id: str) -> Row:
    """Find an alert that a principal may see; absent and invisible are alike.

    Its agent may, whoever was told, people who see its agent, and the administration.
    """
    row = queries.find(conn, alert_id)
    if row is None or not sees(conn, principal, row):
        raise NotFoundError(f"no alert {alert_id[:40]!r} that you can see")
    return row


def sees(conn: sa.Connection, principal: Principal, row: Row) -> bool:
    """Say whether an alert is a principal's to see."""
    me = principal.participant_id
    if principal.kind == "admin" or me == row.for_id:
        return True
    if any(step.to_id == me for step in queries.steps(conn, row.id)):
        return True
    is_near = row.compartment is None or row.compartment in principal.compartments
    its_agent = directory.get(conn, row.for_id)
    return principal.kind == "person" and is_near and directory.sees(principal, its_agent)


def list_alerts(
    conn: sa.Connection, principal: Principal, *, every: bool, after: str | None, limit: int
) -> dict[str, Any]:
    """List alerts, newest first, and behind which one to go on."""
    seen: set[int] | None = {principal.participant_id or 0}
    if principal.kind == "person":
        seen = {one.id for one in directory.visible(conn, principal)}
    elif principal.kind == "admin":
        seen = None
    states = (OPEN, ACKED, SETTLED) if every else (OPEN,)
    me, behind = principal.participant_id, after or BEHIND_ALL
    rows = queries.page(conn, seen, me, states, behind, limit + 1)
    page = rows[:limit]
    shown = [show(conn, principal, row) for row in page if sees(conn, principal, row)]
    return {"alerts": shown, "next": page[-1].id if len(rows) > limit else None}


def show(conn: sa.Connection, principal: Principal, row: Row) -> dict[str, Any]:
    """Show how far an alert has come."""
    steps, chain = queries.steps(conn, row.id), json.loads(row.chain)
    place = next_place(chain, row.place, {step.to_id for step in steps})
    goes_on = place is not None and row.due_ms is not None
    later = directory.get(conn, chain[place]) if place is not None and goes_on else None
    return {
        "id": row.id,
        "severity": row.severity,
        "subject": row.subject,
        "about": row.about or None,
        "cause": row.cause,
        "by": row.by,
        "state": row.state,
        "reason": row.reason,
        "at": to_text(row.created_ms),
        "ended_at": shown_time(row.ended_ms),
        "told": [
            {"to": step.to, "at": to_text(step.at_ms), "message_id": step.message_id}
            for step in steps
        ],
        "next": later.name if later is not None and directory.sees(principal, later) else None,
        "next_at": shown_time(row.due_ms),
    }


def show_whole(conn: sa.Connection, principal: Principal, alert_id: str) -> dict[str, Any]:
    """Show an alert with its text."""
    row = find(conn, principal, alert_id)
    return show(conn, principal, row) | {"body": row.body}
