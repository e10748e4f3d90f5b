"""Every statement of the guard, one named function each."""

from __future__ import annotations

import sqlalchemy as sa

from bus.store.schema import deliveries, holds, messages


def insert_hold(conn: sa.Connection, thread: str, reason: str, now_ms: int) -> None:
    conn.execute(holds.insert().values(thread=thread, at_ms=now_ms, reason=reason))


def delete_hold(conn: sa.Connection, thread: str) -> bool:
    return bool(conn.execute(holds.delete().where(holds.c.thread == thread)).rowcount)


def reason_of(conn: sa.Connection, thread: str) -> str:
    """Give the reason for which a thread is held, or an empty text."""
    return conn.execute(sa.select(holds.c.reason).where(holds.c.thread == thread)).scalar() or ""


def count_between(conn: sa.Connection, thread: str, pair: tuple[int, int], since_ms: int) -> int:
    """Count the messages between two in a thread since a time, both ways."""
    query = (
        sa.select(sa.func.count())
        .select_from(messages.join(deliveries, deliveries.c.message_id == messages.c.id))
        .where(
            messages.c.thread == thread,
            messages.c.created_ms > since_ms,
            messages.c.sender_id.in_(pair),
            deliveries.c.recipient_id.in_(pair),
        )
    )
    return int(conn.execute(query).scalar_one())
