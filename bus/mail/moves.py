"""Moving a delivery on its ladder: the only place where a delivery's state changes.

Every move writes the state, its rung and the fact for the sender's stream in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.mail import queries
from bus.mail.model import ENDS, PRIORITIES
from bus.mail.rules import next_due
from bus.store.log import Concerns, append
from bus.store.transaction import KEEPER

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.transaction import Transaction

Row = Any


def move(  # noqa: PLR0913 - a rung has that many facts
    tx: Transaction,
    row: sa.Row[Any],
    state: str,
    reason: str = "",
    *,
    wake_id: str | None = None,
    turn_id: str | None = None,
    seen: bool = True,
    **changes: Any,
) -> sa.Row[Any]:
    """Set a delivery's state with its reason; gives the delivery as it is now."""
    changes |= {"state": state, "reason": reason, "seen": int(seen)}
    if wake_id is not None:
        changes["wake_id"] = wake_id
    if state in ENDS:
        changes["ended_ms"] = tx.now_ms
    changes["due_ms"] = next_due({**row._mapping, **changes}, tx.config.delayed_s)  # noqa: SLF001 - its public name
    queries.update_delivery(tx.conn, row.id, changes)
    now = queries.one(tx.conn, row.id)
    write_rung(tx, now, turn_id)
    tell_sender(tx, now)
    tx.look_again(KEEPER)
    return now


def write_rung(tx: Transaction, row: sa.Row[Any], turn_id: str | None = None) -> None:
    """Keep what is true of a delivery now as a rung of its ladder."""
    queries.insert_rung(
        tx.conn,
        {
            "delivery_id": row.id,
            "at_ms": tx.now_ms,
            "state": row.state,
            "attempt": row.attempt,
            "reason": row.reason,
            "wake_id": row.wake_id,
            "turn_id": turn_id,
            "seen": row.seen,
        },
    )


def tell_sender(tx: Transaction, row: sa.Row[Any]) -> None:
    """Put a delivery's state on its sender's stream."""
    if row.sender_id is None:
        return
    data = {
        "to_agent": row.to_name,
        "id": row.message_id,
        "state": row.state,
        "reason": row.reason,
        "attempt": row.attempt,
        "from": row.from_name,
        "at": to_text(tx.now_ms),
    }
    append(tx, "state", data, Concerns(sender_id=row.sender_id))


def make_deliverable(tx: Transaction, row: sa.Row[Any], reason: str = "") -> None:
    """Queue a delivery for the first time: it gets its place in the log now, not before."""
    data = {
        "to_agent": row.to_name,
        "id": row.message_id,
        "from": row.from_name or "wakebus",
        "type": row.type,
        "priority": PRIORITIES[row.priority],
        "at": to_text(tx.now_ms),
    }
    ends = Concerns(participant_id=row.recipient_id, sender_id=row.sender_id)
    seq = append(tx, "message", data, ends)
    move(tx, row, "queued", reason, seq=seq, queued_ms=tx.now_ms)
    tx.announce("mail_queued", participant_id=row.recipient_id)


def requeue(
    tx: Transaction, row: sa.Row[Any], reason: str, *, counted: bool, is_told: bool = True
) -> str:
    """Put an item back that was not acked; a counted one may be dead. Gives its state.

    `is_told` has the wakes hear of it; they tell themselves where they put many back.
    """
    failed = row.failed_attempts + int(counted)
    if failed >= tx.config.max_attempts:
        reason = f"{failed} attempts without an ack; the last: {reason}"
        return end(tx, row, "dead", reason, failed_attempts=failed)
    move(tx, row, "queued", reason, failed_attempts=failed, lease_until_ms=None, lease_wake=None)
    if is_told:
        tx.announce("mail_queued", participant_id=row.recipient_id)
    return "queued"


def end(tx: Transaction, row: sa.Row[Any], state: str, reason: str, **changes: Any) -> str:
    """End a delivery without an ack, and tell its sender by a message that wakes."""
    ended = move(tx, row, state, reason, lease_until_ms=None, **changes)
    tx.record(
        "delivery_failed",
        message=row.message_id,
        to=row.to_name,
        state=state,
        attempts=row.attempt,
    )
    tx.announce("delivery_failed", row=ended)
    tx.announce("mail_settled", participant_id=row.recipient_id)
    return state
