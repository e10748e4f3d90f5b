"""Where a message is, and what was said: the ladder and the history, as their readers may see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.access.rules import may_see
from bus.access.service import compartments_of
from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.guard.model import is_of_guard
from bus.mail import inbox_queries, queries
from bus.mail.model import PRIORITIES, SYSTEM
from bus.mail.rules import session_of, shown_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row


def trace(
    conn: sa.Connection,
    principal: Principal,
    message_id: str,
    is_online: Callable[[int], bool] = lambda _node_id: True,
) -> dict[str, Any]:
    """Show a message and the ladder of each delivery that the reader may see.

    `is_online` says of a node whether its watcher is there now.
    """
    rows = queries.of_message(conn, message_id)
    mine = [row for row in rows if sees(conn, principal, row)]
    if not mine:
        raise NotFoundError(f"no message {message_id[:40]!r} of yours")
    first = mine[0]
    shown = {
        "id": first.message_id,
        "from": first.from_name or SYSTEM,
        "thread": first.thread,
        "hops": first.hops,
        "path": visible_path(conn, principal, first),
        "type": first.type,
        "subject": first.subject,
        "priority": PRIORITIES[first.priority],
        "in_reply_to": first.in_reply_to,
        "sent_at": to_text(first.created_ms),
        "deliveries": [show_delivery(conn, row, is_online) for row in mine],
    }
    me = principal.participant_id
    if me is not None and any(me in {row.sender_id, row.recipient_id} for row in mine):
        shown["body"] = first.body
    return shown


def visible_path(conn: sa.Connection, principal: Principal, row: Row) -> list[str]:
    """Show by whom a message came here, as far as the reader may know of them."""
    ends = {row.from_name, row.to_name, SYSTEM}
    return [
        name
        for name in json.loads(row.path)
        if name in ends or directory.is_visible(conn, principal, name)
    ]


def is_for(conn: sa.Connection, message_id: str, participant_id: int) -> bool:
    """Say whether a message is in somebody's inbox, or was."""
    row = queries.of_recipient(conn, message_id, participant_id)
    return row is not None and row.seq is not None


def sees_thread(conn: sa.Connection, principal: Principal, thread: str) -> bool:
    """Say whether the reader may know of something that is held in a thread, or else of it."""
    rows = queries.held_in(conn, thread) or queries.of_thread(conn, thread)
    return any(sees(conn, principal, row) for row in rows)


def sees(conn: sa.Connection, principal: Principal, row: Row) -> bool:
    """Say whether a delivery is the reader's to see.

    It is for its sender, its recipient, a person who may see both, and the administration.
    """
    if principal.kind == "admin":
        return True
    me = principal.participant_id
    if me is not None and me == row.sender_id:
        return True
    if me is not None and me == row.recipient_id:
        # What is held is not there yet; what the guard holds from a person is theirs to let go.
        return row.seq is not None or (principal.kind == "person" and is_guarded(row))
    if principal.kind != "person" or (session_of(row.reply_key) and not is_guarded(row)):
        return False  # of a session nobody else hears, but for what a person must let go
    ends = [who for who in (row.sender_id, row.recipient_id) if who is not None]
    return all(may_see(principal.compartments, compartments_of(conn, who)) for who in ends)


def is_guarded(row: Row) -> bool:
    """Say whether it is the guard that holds a delivery."""
    return bool(row.state == "held" and is_of_guard(row.reason))


def show_delivery(
    conn: sa.Connection, row: Row, is_online: Callable[[int], bool]
) -> dict[str, Any]:
    """Show one delivery with its rungs, oldest first."""
    replies = queries.replies_to(conn, row.message_id)
    waits = ""
    if row.state == "queued":
        waits = directory.why_unreached(conn, row.recipient_id, is_online)
    shown = {
        "to": row.to_name,
        "state": row.state,
        "seen": bool(row.seen),
        "reason": waits or row.reason,
        "attempt": shown_attempt(row.attempt),
        "failed_attempts": row.failed_attempts,
        "ended": row.ended_ms is not None,
        "wake_id": row.wake_id,
        "reply_ids": [reply.id for reply in replies if reply.sender_id == row.recipient_id],
        "ladder": [show_rung(rung) for rung in queries.rungs(conn, [row.id])],
    }
    if row.replied_ms is not None:
        shown["replied_at"] = to_text(row.replied_ms)
    if row.lease_until_ms is not None:
        shown["lease_until"] = to_text(row.lease_until_ms)
    return shown


def show_rung(rung: Row) -> dict[str, Any]:
    """Show one rung."""
    return {
        "at": to_text(rung.at_ms),
        "state": rung.state,
        "attempt": shown_attempt(rung.attempt),
        "reason": rung.reason,
        "seen": bool(rung.seen),
        "wake_id": rung.wake_id,
        "turn_id": rung.turn_id,
    }


def history(
    conn: sa.Connection, principal: Principal, other: str, limit: int
) -> list[dict[str, Any]]:
    """Show the last messages between the reader and another, oldest first."""
    with_whom = directory.find_visible(conn, principal, other)
    rows = queries.between(conn, principal.participant_id or 0, with_whom.id, limit)
    return [
        {
            "id": row.message_id,
            "from": row.from_name or SYSTEM,
            "to": [row.to_name],
            "type": row.type,
            "subject": row.subject,
            "body": row.body,
            "sent_at": to_text(row.created_ms),
            "state": row.state,
            "thread": row.thread,
            "in_reply_to": row.in_reply_to,
        }
        for row in reversed(rows)
    ]


def pending_messages(conn: sa.Connection, participant_id: int, limit: int) -> list[dict[str, Any]]:
    """Show what a stream without a cursor begins with: what waits in the inbox, no bodies."""
    return [
        {
            "to_agent": row.to_name,
            "id": row.message_id,
            "from": row.from_name or SYSTEM,
            "type": row.type,
            "priority": PRIORITIES[row.priority],
            "at": to_text(row.queued_ms),
        }
        for row in inbox_queries.readable(conn, participant_id, limit)
    ]
