"""Holding a thread and letting it go. It knows threads, not what is said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.guard import queries
from bus.guard.rules import judge

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.statement import Row
    from bus.store.transaction import Transaction

MINUTE_MS = 60_000


def is_held(conn: sa.Connection, thread: str) -> str:
    """Give the reason for which a thread is held, or an empty text."""
    hold = queries.hold_of(conn, thread)
    return hold.reason if hold is not None and hold.released_ms is None else ""


def list_held(conn: sa.Connection, limit: int) -> list[Row]:
    """List the threads that are held now, newest first, with the reason."""
    return queries.list_held(conn, limit)


def check(tx: Transaction, thread: str, hops: int, pair: tuple[int, int]) -> str:
    """Give the reason why this thread is held, holding it now where a rule says so."""
    released = queries.hold_of(tx.conn, thread)
    if released is not None and released.released_ms is None:
        return str(released.reason)
    since = max(tx.now_ms - MINUTE_MS, released.released_ms if released else 0)
    burst = queries.count_between(tx.conn, thread, pair, since) + 1
    fresh = hops - (released.from_hops if released else 0)
    limits = tx.config
    reason = judge(
        hops=fresh, burst=burst, max_hops=limits.guard_hops, max_burst=limits.guard_burst
    )
    if reason:
        queries.set_hold(tx.conn, thread, reason, tx.now_ms)
        tx.record("thread_held", thread=thread, reason=reason)
        tx.announce("thread_held", thread=thread, reason=reason, pair=pair)
    return reason


def inherit(tx: Transaction, thread: str, new: str) -> None:
    """Have a thread that goes on from another share what was allowed to that."""
    queries.inherit(tx.conn, thread, new)


def forget(tx: Transaction) -> None:
    """Forget the threads of which no message is kept."""
    queries.forget(tx.conn)


def release(tx: Transaction, thread: str, hops: int) -> bool:
    """Let a thread that has come so far go on for as long again; says whether it was held."""
    return queries.release(tx.conn, thread, hops, tx.now_ms)
