"""What a restored database makes of streams: what was appended since the backup is gone.

Who has read it comes with an offset behind which other bytes would follow, one day; with a new era
it is told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.streams import queries

if TYPE_CHECKING:
    from bus.store.transaction import Transaction


def start_anew(tx: Transaction) -> int:
    """Begin a new era where each stream ends now; gives how many there are."""
    return queries.begin_era(tx.conn, tx.now_ms)
