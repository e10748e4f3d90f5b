"""Holding a thread and letting it go. It knows threads, not what is said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.guard.rules import judge
from bus.store.schema import deliveries, holds, messages

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

MINUTE_MS = 60_000


def check(tx: Transaction, thread: str, hops: int, pair: tuple[int, int]) -> str:
    """Give the reason why this thread is held, holding it now where a rule says so."""
    held = is_held(tx.conn, thread)
    if held:
        return held
    reason = judge(
        hops=hops,
        burst=count_burst(tx, thread, pair) + 1,
        max_hops=tx.config.guard_hops,
        max_burst=tx.config.guard_burst,
    )
    if reason:
        tx.conn.execute(holds.insert().values(thread=thread, at_ms=tx.now_ms, reason=reason))
        tx.announce("thread_held", thread=thread, reason=reason, pair=pair)
    return reason


def count_burst(tx: Transaction, thread: str, pair: tuple[int, int]) -> int:
    """Count the pair's messages in the thread in the last minute, both ways."""
    query = (
        sa.select(sa.func.count())
        .select_from(messages.join(deliveries, deliveries.c.message_id == messages.c.id))
        .where(
            messages.c.thread == thread,
            messages.c.created_ms > tx.now_ms - MINUTE_MS,
            messages.c.sender_id.in_(pair),
            deliveries.c.recipient_id.in_(pair),
        )
    )
    return int(tx.conn.execute(query).scalar_one())


def release(tx: Transaction, thread: str) -> bool:
    """End the hold of a thread; says whether there was one."""
    return bool(tx.conn.execute(holds.delete().where(holds.c.thread == thread)).rowcount)


def is_held(conn: sa.Connection, thread: str) -> str:
    """Give the reason for which a thread is held, or an empty text."""
    reason = conn.execute(sa.select(holds.c.reason).where(holds.c.thread == thread)).scalar()
    return reason or ""
