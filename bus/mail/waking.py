"""What the wake ledger may ask and tell of mail; the ledger knows nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.guard import service as guard
from bus.mail import inbox_queries, keeping_queries, queries, render, waking_queries
from bus.mail.model import LONGEST_LEASE_S
from bus.mail.moves import end, keep_quiet, move, requeue
from bus.mail.rules import LIFE, first_of_life, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.store.transaction import Transaction

one_line = render.one_line


@dataclass(frozen=True)
class Pending:
    """How much waits to be read by an agent and is meant to wake it."""

    total: int
    urgent: int


def pending(conn: sa.Connection, participant_id: int) -> Pending:
    """Count what a wake would be for."""
    return Pending(*waking_queries.count_waiting(conn, participant_id))


def session_of_pending(conn: sa.Connection, participant_id: int, total: int) -> str | None:
    """Name the session in which all was said that waits; None where it is of more, or of none."""
    number, least, greatest = waking_queries.waiting_of_sessions(conn, participant_id)
    if not total or number != total or least != greatest:
        return None
    return session_of(f"{least} 0 0")


def is_pending(conn: sa.Connection, participant_id: int) -> bool:
    """Say whether there is something that a wake would be for."""
    return waking_queries.is_waiting(conn, participant_id)


def is_for_person(conn: sa.Connection, participant_id: int) -> bool:
    """Say whether a wake would be for a person's word, too."""
    return waking_queries.is_of_person(conn, participant_id)


def pending_of(conn: sa.Connection, ids: Sequence[int]) -> dict[int, int]:
    """Count for each, as far as there is something, what a wake would be for."""
    return waking_queries.count_waiting_of(conn, ids)


def last_lease_ms(conn: sa.Connection, participant_id: int) -> int | None:
    """Give when the last of an agent's leases ends, or None where it has none."""
    return max(
        (row.lease_until_ms for row in inbox_queries.leased(conn, participant_id)), default=None
    )


def keep_all_quiet(tx: Transaction, participant_id: int) -> None:
    """Hold what came before an agent's quiet hours and nobody has read in them."""
    quiet = directory.get(tx.conn, participant_id).quiet
    if quiet is not None and directory.quiet_until(quiet, tx.now_ms) is not None:
        for row in waking_queries.waiting(tx.conn, participant_id):
            keep_quiet(tx, row)


def set_notified(tx: Transaction, participant_id: int, wake_id: str) -> None:
    """Set the rung: the watcher said that it has the wake for what waits."""
    for row in waking_queries.not_asked_for(tx.conn, participant_id, wake_id):
        move(tx, row, "notified", wake_id=wake_id)


def set_woken(
    tx: Transaction, wake_id: str, participant_id: int, turn_id: str | None, *, seen: bool
) -> None:
    """Set the rung: a turn was admitted, or a blind method took the call (not seen)."""
    reason = "" if seen else "the call was accepted; whether a turn began is not seen"
    rows = waking_queries.asked_for(tx.conn, participant_id, wake_id)
    guard.count_wake(tx, (row.thread for row in rows if row.state != "woken"))
    for row in rows:
        if row.state != "woken" or row.seen < seen:
            move(tx, row, "woken", reason, turn_id=turn_id, seen=seen)


def put_back(
    tx: Transaction, wake_id: str, participant_id: int, reason: str, *, counted: bool
) -> None:
    """Queue again what a closed wake asked for and nobody read."""
    for row in waking_queries.asked_for(tx.conn, participant_id, wake_id):
        if row.state != "queued":
            requeue(tx, row, reason, counted=counted, is_told=False)


def drop_leases(
    tx: Transaction, wake_id: str | None, participant_id: int, reason: str, *, counted: bool
) -> None:
    """Give back what was read in a turn that is known to be over; without a wake, all of it."""
    for row in inbox_queries.leased(tx.conn, participant_id):
        if wake_id is None or row.lease_wake == wake_id:
            requeue(tx, row, reason, counted=counted, is_told=False)


def threads_of_turn(
    conn: sa.Connection, participant_id: int, wake_id: str, since_ms: int
) -> list[str]:
    """List the threads of what was read in a turn, whether it is settled or not."""
    leased = inbox_queries.leased(conn, participant_id)
    there = [row.thread for row in leased if row.lease_wake == wake_id]
    return there + waking_queries.threads_settled(conn, participant_id, wake_id, since_ms)


def extend_leases(tx: Transaction, wake_id: str, participant_id: int) -> None:
    """Lengthen the leases of a turn that is known to live."""
    until = tx.now_ms + tx.config.lease_s * 1000
    for row in inbox_queries.leased(tx.conn, participant_id):
        if row.lease_wake == wake_id:
            queries.update_delivery(tx.conn, row.id, {"lease_until_ms": until, "due_ms": until})


def spare(tx: Transaction, until_ms: int) -> None:
    """Let nothing run out before a time that a turn has read: the turn may live.

    A lease that ends further off than any can was made before the clock was put back.
    """
    waking_queries.spare_leases(tx.conn, until_ms)
    beyond = tx.now_ms + LONGEST_LEASE_S * 1000
    waking_queries.shorten_leases(tx.conn, beyond, tx.now_ms + tx.config.lease_s * 1000)
    keeping_queries.look_at_quiet(tx.conn, tx.now_ms)
    waking_queries.hasten_notes(tx.conn, tx.now_ms + tx.config.delayed_s * 1000)


def give_back_all(tx: Transaction, reason: str) -> None:
    """Fence every handle that was printed, and put back what was on lease: a restored database."""
    for participant_id in waking_queries.with_leases(tx.conn):
        drop_leases(tx, None, participant_id, reason, counted=False)
    waking_queries.renumber_leases(tx.conn, first_of_life(tx.now_ms), LIFE)


def count_all_open(conn: sa.Connection) -> int:
    """Count what has not ended."""
    return waking_queries.count_all_open(conn)


def recipients_waiting(conn: sa.Connection) -> list[int]:
    """List whom something waits for that is meant to wake."""
    return waking_queries.recipients_waiting(conn)


def end_all_waiting(tx: Transaction, participant_id: int, reason: str) -> None:
    """End as dead what waits for an agent that its runtime does not know."""
    for row in waking_queries.waiting(tx.conn, participant_id):
        end(tx, row, "dead", reason)


def note(tx: Transaction, participant_id: int, reason: str) -> None:
    """Write on what waits why it waits; no rung, only the reason of the present one."""
    waking_queries.set_reason(tx.conn, participant_id, reason)
