"""Dead letters: what ended without an ack, listed and sent again as the same message."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bus.access import service as access
from bus.access.rules import may_see
from bus.clock import shown_time, to_text
from bus.directory import service as directory
from bus.guard import service as guard
from bus.mail import inbox_queries, queries
from bus.mail.cancelling import find_deliveries, is_in_charge, name_of
from bus.mail.model import FAILED
from bus.mail.moves import make_deliverable, move
from bus.mail.tracing import sees

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

Result = dict[str, Any]
SCAN = 1000
"""Rows looked at for one page at most: who may see few of them gets short pages, and goes on."""


@dataclass(frozen=True)
class Which:
    """Which dead letters: in these states, to one recipient, ended since, below a place."""

    states: tuple[str, ...] = FAILED
    agent: str | None = None
    since_ms: int | None = None
    below: int | None = None
    limit: int = 100


def find_dead(
    conn: sa.Connection, principal: Principal, which: Which
) -> tuple[list[Row], int | None]:
    """Find dead letters that a principal may see, newest first, and the place to go on below.

    Raises:
        NotFoundError: there is no such recipient that it can see.
    """
    to = directory.find_visible(conn, principal, which.agent).id if which.agent else None
    own = None if principal.kind in {"person", "admin"} else principal.participant_id
    rows = queries.failed(conn, which.states, to, which.since_ms, which.below, own, SCAN)
    found: list[Row] = []
    for row in rows:
        if sees(conn, principal, row):
            if len(found) == which.limit:
                return found, found[-1].id
            found.append(row)
    return found, rows[-1].id if len(rows) == SCAN else None


def list_dead(conn: sa.Connection, principal: Principal, which: Which) -> Result:
    """Show a page of dead letters, without bodies."""
    rows, below = find_dead(conn, principal, which)
    return {"deliveries": [show(row) for row in rows], "next": below}


def show(row: Row) -> Result:
    """Show one dead letter."""
    return {
        "id": row.message_id,
        "from": row.from_name,
        "to": row.to_name,
        "type": row.type,
        "subject": row.subject,
        "state": row.state,
        "reason": row.reason,
        "failed_attempts": row.failed_attempts,
        "sent_at": to_text(row.created_ms),
        "ended_at": to_text(row.ended_ms),
        "expires_at": shown_time(row.expires_ms),
        "thread": row.thread,
    }


def redrive(
    tx: Transaction, principal: Principal, message_id: str, to: list[str], expires_ms: int | None
) -> Result:
    """Send what failed of one message again."""
    rows = find_deliveries(tx.conn, principal, message_id, to)
    return {"id": message_id, "results": redrive_rows(tx, principal, rows, expires_ms)}


def redrive_all(
    tx: Transaction, principal: Principal, which: Which, expires_ms: int | None
) -> Result:
    """Send a page of dead letters again; `next` is where the rest begins."""
    rows, below = find_dead(tx.conn, principal, which)
    mine = [row for row in rows if is_in_charge(principal, row)]
    return {"results": redrive_rows(tx, principal, mine, expires_ms), "next": below}


def redrive_rows(
    tx: Transaction, principal: Principal, rows: Iterable[Row], expires_ms: int | None
) -> list[Result]:
    """Send each again that can be; the others say why not. Oldest first, as they were sent."""
    results = []
    for row in sorted(rows, key=lambda row: int(row.id)):
        why_not = find_obstacle(tx, row, expires_ms) or find_excess(tx, principal, row)
        result = why_not or send_again(tx, principal, row, expires_ms)
        results.append({"id": row.message_id, "to": row.to_name, **result})
    return results


def find_obstacle(tx: Transaction, row: Row, expires_ms: int | None) -> Result:
    """Say why a delivery cannot be sent again, or nothing."""
    if row.state not in FAILED:
        return {"result": "not_failed", "state": row.state, "reason": f"it is {row.state}"}
    recipient = directory.get(tx.conn, row.recipient_id)
    if recipient.removed:
        return {"result": "gone", "state": row.state, "reason": f"{row.to_name} was removed"}
    if row.sender_id is not None and not may_see(
        access.compartments_of(tx.conn, row.sender_id), recipient.compartments
    ):
        reason = f"{row.to_name} can no longer be reached by {row.from_name}"
        return {"result": "gone", "state": row.state, "reason": reason}
    if expires_ms is None and row.expires_ms is not None and row.expires_ms <= tx.now_ms:
        reason = f"it was wanted until {to_text(row.expires_ms)}: give a new ttl"
        return {"result": "needs_ttl", "state": row.state, "reason": reason}
    if inbox_queries.count_readable(tx.conn, row.recipient_id) >= tx.config.max_inbox:
        reason = f"{row.to_name} has {tx.config.max_inbox} open messages"
        return {"result": "inbox_full", "state": row.state, "reason": reason}
    return {}


def find_excess(tx: Transaction, principal: Principal, row: Row) -> Result:
    """Say that an agent sent this again often enough: two that go on so would never come to an end.

    The guard counts what is written, and nothing is written here. A person means what they do.
    """
    if principal.kind in {"person", "admin"}:
        return {}
    rungs, most = queries.rungs(tx.conn, [row.id]), tx.config.max_attempts
    times = sum(was.state in FAILED and now.state not in FAILED for was, now in pairwise(rungs))
    if times < most:
        return {}
    reason = f"it was sent again {times} times; a person or the administration still can"
    return {"result": "too_often", "state": row.state, "reason": reason}


def send_again(tx: Transaction, principal: Principal, row: Row, expires_ms: int | None) -> Result:
    """Queue a failed delivery anew: all its attempts are before it, its ladder goes on.

    The number in its handles goes on too, so that an old handle never names a new reading.
    """
    fresh = {
        "failed_attempts": 0,
        "ended_ms": None,
        "delayed_ms": None,
        "seq": None,
        "wake_id": None,
        "lease_wake": None,
        "until_ms": row.until_ms if expires_ms is None else expires_ms,
    }
    queries.update_delivery(tx.conn, row.id, fresh)
    again = queries.one(tx.conn, row.id)
    by = name_of(principal)
    tx.record("delivery_redriven", message=row.message_id, to=row.to_name, by=by)
    held = guard.is_held(tx.conn, row.thread)
    if held:
        move(tx, again, "held", held)
        return {"result": "held", "state": "held", "reason": held}
    now = make_deliverable(tx, again, f"sent again by {by}")
    why = {"reason": now.reason} if now.state == "held" else {}
    return {"result": now.state, "state": now.state, **why}
