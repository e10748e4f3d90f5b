"""What time does to sessions: one in which nobody is any more goes, with all that was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.sessions import queries

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

AT_ONCE = 500
"""So many entries go in one transaction."""


def prune(tx: Transaction) -> int:
    """Remove a part of what nobody can read any more; gives how much."""
    before_ms = tx.now_ms - tx.config.retention_s * 1000
    number = queries.find_abandoned(tx.conn, before_ms)
    if number is None:
        return 0
    tx.announce("session_forgotten", number=number)
    gone = queries.delete_entries(tx.conn, number, AT_ONCE)
    if gone < AT_ONCE:
        queries.delete_session(tx.conn, number)
        tx.record("session_removed", entries=gone)
    return gone + 1
