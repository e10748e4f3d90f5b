"""What time does to mail: schedules, expiry, lapsed leases, notes of delay, retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.clock import DAY_MS
from bus.guard import service as guard
from bus.mail import keeping_queries, queries
from bus.mail.moves import end, make_deliverable, move, requeue
from bus.mail.notes import tell_delay
from bus.mail.quiet import settle_quiet
from bus.mail.rules import is_scheduled, next_due

if TYPE_CHECKING:
    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

BATCH = 200


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Do what is due, up to a batch; gives how many deliveries were looked at."""
    rows = keeping_queries.due(tx.conn, tx.now_ms, BATCH, aside.now("deliveries"))
    aside.each(tx, "deliveries", rows, do_one)
    return len(rows)


def do_one(tx: Transaction, row: Row) -> None:
    """Do the one thing that is due for a delivery; more than one are done one after another."""
    if row.state == "read":
        requeue(tx, row, "its lease ended without an ack", counted=True)
    elif row.expires_ms is not None and row.expires_ms <= tx.now_ms:
        end(tx, row, "expired", f"not read in time ({row.reason or row.state})")
    elif row.quiet_ms is not None:
        settle_quiet(tx, row.recipient_id)
    elif is_scheduled(row._asdict()):
        release_scheduled(tx, row)
    elif row.delayed_ms is None:
        queries.update_delivery(tx.conn, row.id, {"delayed_ms": tx.now_ms})
        tell_delay(tx, row)
        set_due(tx, queries.one(tx.conn, row.id))
    else:
        set_due(tx, row)


def release_scheduled(tx: Transaction, row: Row) -> None:
    """Deliver scheduled mail, unless its thread has been held since."""
    held = guard.is_held(tx.conn, row.thread)
    if held:
        move(tx, row, "held", held)
    else:
        make_deliverable(tx, row)


def set_due(tx: Transaction, row: Row) -> None:
    """Write when to look at a delivery again."""
    due = next_due(row._asdict(), tx.config.delayed_s)
    queries.update_delivery(tx.conn, row.id, {"due_ms": due})


def prune(tx: Transaction) -> int:
    """Remove messages that ended long ago and idempotency keys of yesterday, a batch at a time."""
    keeping_queries.forget_keys(tx.conn, tx.now_ms - DAY_MS)
    old = keeping_queries.prunable(tx.conn, tx.now_ms - tx.config.retention_s * 1000, BATCH)
    if old:
        threads = keeping_queries.threads_of(tx.conn, old)
        keeping_queries.delete_messages(tx.conn, old)
        guard.forget(tx, threads)
    return len(old)
