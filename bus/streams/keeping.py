"""What time does to streams, and what the end of their owner does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.streams import queries, rules, writing
from bus.streams.model import DELETED, DIED, EXPIRED

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

BATCH = 20
"""So many at once: to remove one is to remove all of its bytes."""


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Do one batch of what is due; gives how many were looked at."""
    rows = queries.due(tx.conn, tx.now_ms, BATCH, aside.now("streams"))
    aside.each(tx, "streams", rows, do_one)
    return len(rows)


def first_due(conn: sa.Connection, aside: SetAside) -> int | None:
    """Give when the next one is due, in ms."""
    return queries.first_due(conn, aside.now("streams"))


def do_one(tx: Transaction, row: Row) -> None:
    """Remove a stream that has expired, close one whose producer is silent.

    What is kept as due is when to look: appends and reads since have moved the true time.
    """
    dies_ms = rules.dies_ms(row)
    if rules.has_expired(row, tx.now_ms):
        writing.end(tx, row, EXPIRED)
        return
    if dies_ms is not None and dies_ms <= tx.now_ms:
        writing.close(tx, row, DIED)
        tx.record("stream_died", stream=row.id, bytes=row.size)
        row = queries.get(tx.conn, row.place)  # who heard of it may have changed how long it stays
    queries.update(tx.conn, row.place, {"due_ms": rules.due_ms(row)})


def prune(tx: Transaction) -> int:
    """Remove a batch of the streams whose session is gone for good; gives how many."""
    rows = queries.left_behind(tx.conn, BATCH)
    for row in rows:
        writing.end(tx, row, DELETED)
    return len(rows)


def spare(tx: Transaction) -> None:
    """Hear that the bus was away, or its clock set: no producer could be heard meanwhile."""
    queries.hear_all(tx.conn, tx.now_ms)


def on_participant_removed(tx: Transaction, participant_id: int) -> None:
    """Remove the streams of one that is gone; those of a session stay with the session."""
    for row in queries.owned(tx.conn, participant_id):
        writing.end(tx, row, DELETED)
