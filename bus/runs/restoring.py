"""What a restored database makes of runs: a claim that it knows belongs to a time that is over.

What was being worked on may have ended since, and had its effects: it is not run again, and its
parent is told. What waited is offered anew; whoever claimed it since is fenced by its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.mail.rules import first_of_life
from bus.runs import queries
from bus.runs.ending import end
from bus.runs.moves import offer

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

REASON = "the database was restored from a backup while it worked; how far it came is not known"


def start_anew(tx: Transaction) -> int:
    """Fence every claim and offer what waits; gives how many runs were given up."""
    queries.renumber_claims(tx.conn, first_of_life(tx.now_ms))
    there = queries.all_open(tx.conn)
    working = [run for run in there if run.claimed_ms is not None]
    for run in working:
        end(tx, run, "lost", REASON)
    for run in there:
        now = queries.at(tx.conn, run.place)
        if now.claimed_ms is None and not now.waits:
            offer(tx, now, now.node_id)
    return len(working)
