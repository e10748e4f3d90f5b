"""What a restored database makes of wakes and leases: all of them belong to a time that is over.

Turns may still run for them, and their agents may hold handles. Whatever is said of those is
fenced; what waits is asked for anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.mail import waking as mail
from bus.wakes import queries
from bus.wakes.ledger import close, ensure_wake

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

REASON = "the database was restored from a backup"


def start_anew(tx: Transaction) -> int:
    """Fence every wake and handle, and ask for what waits; gives how many wakes were fenced."""
    mail.give_back_all(tx, REASON)
    there = queries.all_open(tx.conn)
    for wake in there:
        close(tx, wake, "restored", REASON, failed=False)
    for participant_id in mail.recipients_waiting(tx.conn):
        ensure_wake(tx, participant_id)
    return len(there)
