"""Holding a thread and letting it go. It knows threads, not what is said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.guard import queries
from bus.guard.rules import judge

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

MINUTE_MS = 60_000
is_held = queries.reason_of


def check(tx: Transaction, thread: str, hops: int, pair: tuple[int, int]) -> str:
    """Give the reason why this thread is held, holding it now where a rule says so."""
    held = is_held(tx.conn, thread)
    if held:
        return held
    burst = queries.count_between(tx.conn, thread, pair, tx.now_ms - MINUTE_MS) + 1
    limits = tx.config
    reason = judge(hops=hops, burst=burst, max_hops=limits.guard_hops, max_burst=limits.guard_burst)
    if reason:
        queries.insert_hold(tx.conn, thread, reason, tx.now_ms)
        tx.record("thread_held", thread=thread, reason=reason)
        tx.announce("thread_held", thread=thread, reason=reason, pair=pair)
    return reason


def release(tx: Transaction, thread: str) -> bool:
    """End the hold of a thread; says whether there was one."""
    return queries.delete_hold(tx.conn, thread)
