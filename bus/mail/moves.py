"""Moving a delivery on its ladder: the only place where a delivery's state changes.

Every move writes the state, its rung and the fact for the sender's stream in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bus.directory import service as directory
from bus.mail import queries
from bus.mail.model import ENDS, PRIORITIES, SYSTEM, URGENT
from bus.mail.rules import next_due, session_of, shown_attempt
from bus.store.log import Concerns, append

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.store.statement import Row
    from bus.store.transaction import Transaction


class Copy(NamedTuple):
    """One recipient's copy of a message as it is made; named as a delivery's columns are."""

    message_id: str
    sender_id: int | None
    from_name: str
    recipient_id: int
    to_name: str
    type: str
    priority: int
    wakes: int
    state: str
    reason: str = ""
    attempt: int = 0
    wake_id: str | None = None
    seen: int = 1
    seq: int | None = None
    reply_key: str | None = None


def move(  # noqa: PLR0913 - a rung has that many facts
    tx: Transaction,
    row: Row,
    state: str,
    reason: str = "",
    *,
    wake_id: str | None = None,
    turn_id: str | None = None,
    seen: bool = True,
    **changes: Any,
) -> Row:
    """Set a delivery's state with its reason; gives the delivery as it is now."""
    changes |= {"state": state, "reason": reason, "seen": int(seen)}
    if wake_id is not None:
        changes["wake_id"] = wake_id
    if row.quiet_ms is not None:
        changes.setdefault("quiet_ms", None)
    if state in ENDS:
        changes["ended_ms"] = tx.now_ms
    changes["due_ms"] = next_due({**row._asdict(), **changes}, tx.config.delayed_s)
    queries.update_delivery(tx.conn, row.id, changes)
    now = row._replace(**changes)
    queries.insert_rung(tx, rung(tx, row.id, now, turn_id))
    tell_sender(tx, now)
    tx.remind(now.due_ms)
    return now


def create(tx: Transaction, copy: Copy, times: Mapping[str, int | None]) -> None:
    """Write a new delivery: held, or queued at once; `times` are those of its message."""
    is_queued = copy.state == "queued"
    place = {
        "seq": append_message(tx, copy) if is_queued else None,
        "queued_ms": tx.now_ms if is_queued else None,
    }
    known = {"state": copy.state, "reason": copy.reason, "created_ms": tx.now_ms, **times, **place}
    due = next_due({**known, "ended_ms": None, "delayed_ms": None}, tx.config.delayed_s)
    delivery_id = queries.insert_delivery(
        tx.conn,
        {
            "message_id": copy.message_id,
            "recipient_id": copy.recipient_id,
            "state": copy.state,
            "reason": copy.reason,
            "priority": copy.priority,
            "wakes": copy.wakes,
            "quiet_ms": times["quiet_ms"],
            "due_ms": due,
            **place,
        },
    )
    now = rung(tx, delivery_id, copy)
    queries.insert_rung(tx, now | {"state": "accepted", "reason": ""})
    queries.insert_rung(tx, now)
    tell_sender(tx, copy)
    tx.remind(due)


def rung(
    tx: Transaction, delivery_id: int, row: Row | Copy, turn_id: str | None = None
) -> dict[str, Any]:
    """Give what is true of a delivery now as a rung of its ladder."""
    return {
        "delivery_id": delivery_id,
        "at_ms": tx.now_ms,
        "state": row.state,
        "attempt": row.attempt,
        "reason": row.reason,
        "wake_id": row.wake_id,
        "turn_id": turn_id,
        "seen": row.seen,
    }


def tell_sender(tx: Transaction, row: Row | Copy) -> None:
    """Put a delivery's state on its sender's stream; its recipient hears what was taken back."""
    if row.sender_id is None:
        return
    data = {
        "to_agent": row.to_name,
        "id": row.message_id,
        "state": row.state,
        "reason": row.reason,
        "attempt": shown_attempt(row.attempt),
        "from": row.from_name,
        "at": tx.now_text,
    }
    is_withdrawn = row.state == "cancelled" and row.seq is not None
    recipient_id = row.recipient_id if is_withdrawn else None
    append(tx, "state", data, concerns(row, recipient_id))


def concerns(row: Row | Copy, recipient_id: int | None) -> Concerns:
    """Say whom a fact of a delivery is about.

    What tells of a session is of that session alone, as of a compartment that nobody else is in:
    a person who sees both its ends need not be in it.
    """
    return Concerns(recipient_id, row.sender_id, compartment=session_of(row.reply_key))


def append_message(tx: Transaction, row: Row | Copy) -> int:
    """Give a delivery its place in the log: from now on its recipient can read it."""
    if row.recipient_id in tx.allowances:
        tx.allowances[row.recipient_id] -= 1
    data = {
        "to_agent": row.to_name,
        "id": row.message_id,
        "from": row.from_name or SYSTEM,
        "type": row.type,
        "priority": PRIORITIES[row.priority],
        "at": tx.now_text,
    }
    return append(tx, "message", data, concerns(row, row.recipient_id))


def make_deliverable(tx: Transaction, row: Row, reason: str = "") -> Row:
    """Queue a delivery that was held, unless it is quiet: its place in the log it gets only now."""
    kept = keep_quiet(tx, row)
    if kept is not None:
        return kept
    now = move(tx, row, "queued", reason, seq=append_message(tx, row), queued_ms=tx.now_ms)
    tx.announce("mail_queued", participant_id=row.recipient_id)
    return now


def quiet_until(tx: Transaction, row: Row) -> int | None:
    """Give until when a delivery is kept from its recipient by quiet hours, or None."""
    return directory.kept_until(
        tx.conn,
        directory.read_quiet(row.to_quiet),
        tx.now_ms,
        sender_id=row.sender_id,
        is_urgent=row.priority == URGENT,
    )


def keep_quiet(tx: Transaction, row: Row) -> Row | None:
    """Hold a delivery for its recipient's quiet hours; None where nothing keeps it now."""
    quiet, until = directory.read_quiet(row.to_quiet), quiet_until(tx, row)
    if quiet is None or until is None:
        return None
    why = directory.why_kept(quiet, until)
    return move(tx, row, "held", why, seq=None, quiet_ms=until)


def requeue(tx: Transaction, row: Row, reason: str, *, counted: bool, is_told: bool = True) -> str:
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


def end(
    tx: Transaction,
    row: Row,
    state: str,
    reason: str,
    *,
    is_told: bool = True,
    **changes: Any,
) -> str:
    """End a delivery without an ack, and tell its sender by a message that wakes.

    `is_told` is false where the end is its sender's own doing.
    """
    ended = move(tx, row, state, reason, lease_until_ms=None, **changes)
    tx.record(
        "delivery_cancelled" if state == "cancelled" else "delivery_failed",
        message=row.message_id,
        to=row.to_name,
        state=state,
        attempts=shown_attempt(row.attempt),
    )
    if is_told:
        tx.announce("delivery_failed", row=ended)
    tx.announce("mail_settled", participant_id=row.recipient_id)
    return state
