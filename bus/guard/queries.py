"""Every statement of the guard, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.schema import deliveries, holds, messages
from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from bus.store.statement import Row

HOLD = Statement(
    sa.select(holds.c.reason, holds.c.released_ms, holds.c.from_hops).where(
        holds.c.thread == bind("thread")
    )
)
HELD = Statement(
    sa.select(holds.c.thread, holds.c.at_ms, holds.c.reason)
    .where(holds.c.released_ms.is_(None))
    .order_by(holds.c.at_ms.desc())
    .limit(bind("most"))
)
PAIR = (bind("one"), bind("other"))
COUNT_BETWEEN = Statement(
    sa.select(sa.func.count())
    .select_from(messages.join(deliveries, deliveries.c.message_id == messages.c.id))
    .where(
        messages.c.thread == bind("thread"),
        messages.c.created_ms > bind("since_ms"),
        messages.c.sender_id.in_(PAIR),
        deliveries.c.recipient_id.in_(PAIR),
    )
)


def set_hold(conn: sa.Connection, thread: str, reason: str, now_ms: int) -> None:
    conn.execute(holds.delete().where(holds.c.thread == thread))
    conn.execute(holds.insert().values(thread=thread, at_ms=now_ms, reason=reason))


def release(conn: sa.Connection, thread: str, hops: int, now_ms: int) -> bool:
    """Mark a held thread as released; says whether it was held."""
    held = sa.and_(holds.c.thread == thread, holds.c.released_ms.is_(None))
    done = conn.execute(holds.update().where(held).values(released_ms=now_ms, from_hops=hops))
    return bool(done.rowcount)


def hold_of(conn: sa.Connection, thread: str) -> Row | None:
    """Give why a thread is or was held, and when it was let go and how far it had come then."""
    return HOLD.first(conn, thread=thread)


def list_held(conn: sa.Connection, limit: int) -> list[Row]:
    """List the threads that are held now, newest first."""
    return HELD.rows(conn, most=limit)


def inherit(conn: sa.Connection, thread: str, new: str) -> None:
    """Let a new thread begin where the release of another left it."""
    row = hold_of(conn, thread)
    if row is not None and row.released_ms is not None:
        values = {**row._asdict(), "thread": new, "at_ms": row.released_ms, "reason": ""}
        conn.execute(holds.insert().values(values))


def forget(conn: sa.Connection) -> None:
    """Remove what is known of threads of which nothing is kept."""
    there = sa.select(messages.c.id).where(messages.c.thread == holds.c.thread)
    conn.execute(holds.delete().where(~there.exists()))


def count_between(conn: sa.Connection, thread: str, pair: tuple[int, int], since_ms: int) -> int:
    """Count the messages between two in a thread since a time, both ways."""
    one, other = pair
    return int(COUNT_BETWEEN.scalar(conn, thread=thread, since_ms=since_ms, one=one, other=other))
