"""What time does to approvals: expired as their askers chose, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.steering import queries
from bus.steering.ending import expire
from bus.steering.model import LONGEST_S

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

BATCH = 100
TABLE = "approvals"


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Expire what nobody answered in time, up to a batch; gives how many were looked at."""
    rows = queries.due(tx.conn, tx.now_ms, BATCH, aside.now(TABLE))
    aside.each(tx, TABLE, rows, do_one)
    return len(rows)


def do_one(tx: Transaction, row: Row) -> None:
    """Expire one, as it stands after those before it."""
    row = queries.at(tx.conn, row.id)
    if row.due_ms is not None and row.due_ms <= tx.now_ms:
        expire(tx, row)


def first_due(conn: sa.Connection, aside: SetAside) -> int | None:
    """Give when the next approval expires."""
    return queries.first_due(conn, aside.now(TABLE))


def prune(tx: Transaction) -> int:
    """Remove a batch of approvals that ended long ago; their entries stay."""
    return queries.prune(tx.conn, tx.now_ms - tx.config.retention_s * 1000, BATCH)


def spare(tx: Transaction) -> None:
    """Let nothing wait for a time that a clock which has been put back since had set."""
    queries.hasten(tx.conn, tx.now_ms + LONGEST_S * 1000)
