"""Every statement of the guard, one named function each."""

from __future__ import annotations

import sqlalchemy as sa

from bus.store.schema import deliveries, holds, messages


def set_hold(conn: sa.Connection, thread: str, reason: str, now_ms: int) -> None:
    conn.execute(holds.delete().where(holds.c.thread == thread))
    conn.execute(holds.insert().values(thread=thread, at_ms=now_ms, reason=reason))


def release(conn: sa.Connection, thread: str, hops: int, now_ms: int) -> bool:
    """Mark a held thread as released; says whether it was held."""
    held = sa.and_(holds.c.thread == thread, holds.c.released_ms.is_(None))
    done = conn.execute(holds.update().where(held).values(released_ms=now_ms, from_hops=hops))
    return bool(done.rowcount)


def release_of(conn: sa.Connection, thread: str) -> sa.Row[int, int] | None:
    """Give when a thread was last let go, and how far it had come."""
    query = sa.select(holds.c.released_ms, holds.c.from_hops)
    return conn.execute(
        query.where(holds.c.thread == thread, holds.c.released_ms.is_not(None))
    ).first()


def inherit(conn: sa.Connection, thread: str, new: str) -> None:
    """Let a new thread begin where the release of another left it."""
    row = release_of(conn, thread)
    if row is not None:
        values = {"thread": new, "at_ms": row.released_ms, "reason": "", **row._mapping}  # noqa: SLF001 - its public name
        conn.execute(holds.insert().values(values))


def forget(conn: sa.Connection) -> None:
    """Remove what is known of threads of which nothing is kept."""
    there = sa.select(messages.c.id).where(messages.c.thread == holds.c.thread)
    conn.execute(holds.delete().where(~there.exists()))


def reason_of(conn: sa.Connection, thread: str) -> str:
    """Give the reason for which a thread is held, or an empty text."""
    query = sa.select(holds.c.reason).where(holds.c.thread == thread, holds.c.released_ms.is_(None))
    return conn.execute(query).scalar() or ""


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
