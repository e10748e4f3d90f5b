"""What time does to runs: offered again, given up, over their limit, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.runs import queries
from bus.runs.ending import end
from bus.runs.moves import offer
from bus.runs.rules import next_due

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

BATCH = 100
TABLE = "runs"


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Do what is due, up to a batch; gives how many runs were looked at."""
    rows = queries.due(tx.conn, tx.now_ms, BATCH, aside.now(TABLE))
    aside.each(tx, TABLE, rows, do_one)
    return len(rows)


def first_due(conn: sa.Connection, aside: SetAside) -> int | None:
    """Give when the next run is due."""
    return queries.first_due(conn, aside.now(TABLE))


def do_one(tx: Transaction, row: Row) -> None:
    """Do the one thing that is due for a run, as it stands after those before it."""
    run = queries.at(tx.conn, row.place)
    if run.due_ms is None or run.due_ms > tx.now_ms:
        return
    if run.claimed_ms is None:
        do_unclaimed(tx, run)
    elif run.deadline_ms <= tx.now_ms:
        do_overdue(tx, run)
    elif run.lease_until_ms <= tx.now_ms:
        silence = f"its node said nothing for {tx.config.run_lease_s} s"
        asked = f" ({run.reason})" if run.cancel_ms is not None else ""
        end(tx, run, "lost", f"{silence}{asked}; how far it came is not known")
    else:
        look_later(tx, run)


def look_later(tx: Transaction, run: Row) -> None:
    """Have a run of which nothing is due be looked at when something is."""
    queries.update(tx.conn, run.place, {"due_ms": next_due(run._asdict())})


def do_unclaimed(tx: Transaction, run: Row) -> None:
    """Give up what nobody claimed in time, or offer it again."""
    if run.deadline_ms <= tx.now_ms:
        waited = f"nobody claimed it within {tx.config.run_unclaimed_s} s"
        end(tx, run, "lost", f"{waited}{f' ({run.reason})' if run.reason else ''}")
    elif run.waits:
        look_later(tx, run)
    else:
        offer(tx, run, run.node_id)


def do_overdue(tx: Transaction, run: Row) -> None:
    """End what is over its limit; or what was cancelled, and of which its node says nothing."""
    if run.cancel_ms is not None:
        end(tx, run, "cancelled", f"{run.reason}; its node did not say that it stopped")
    else:
        end(tx, run, "timed_out", f"over its limit of {run.limit_s} s")


def prune(tx: Transaction) -> int:
    """Remove a batch of runs that ended long ago."""
    return queries.prune(tx.conn, tx.now_ms - tx.config.retention_s * 1000, BATCH)


def spare(tx: Transaction) -> None:
    """Let nothing run out before its node could speak: the bus itself was away.

    And let nothing wait for a time that a clock which has been put back since had set.
    """
    config, now = tx.config, tx.now_ms
    queries.spare(tx.conn, now + config.run_lease_s * 1000)
    queries.hasten(tx.conn, "lease_until_ms", now + config.run_lease_s * 1000)
    longest_s = max(config.run_longest_s + config.run_grace_s, config.run_unclaimed_s)
    queries.hasten(tx.conn, "deadline_ms", now + longest_s * 1000)
    queries.hasten(tx.conn, "due_ms", now + config.run_lease_s * 1000)
