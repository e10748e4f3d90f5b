"""What time has made due, and what is kept no longer: its statements, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.mail.queries import FULL
from bus.store.deadlines import Deadlines
from bus.store.schema import deliveries, idempotency, ladder, messages
from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from collections.abc import Collection

    from bus.store.statement import Row


DEADLINES = Deadlines(deliveries, FULL)
due, first_due = DEADLINES.due, DEADLINES.first_due
HELD_QUIET = Statement(
    FULL.where(
        deliveries.c.recipient_id == bind("recipient_id"),
        deliveries.c.ended_ms.is_(None),
        deliveries.c.quiet_ms.is_not(None),
    )
    .order_by(deliveries.c.priority, deliveries.c.id)
    .limit(bind("most"))
)


def held_quiet(conn: sa.Connection, recipient_id: int, limit: int) -> list[Row]:
    """Read what is held for somebody's quiet hours, the most important first."""
    return HELD_QUIET.rows(conn, recipient_id=recipient_id, most=limit)


def look_at_quiet(conn: sa.Connection, now_ms: int) -> None:
    """Have all that is held for quiet hours be looked at now."""
    later = sa.and_(deliveries.c.quiet_ms.is_not(None), deliveries.c.due_ms > now_ms)
    conn.execute(deliveries.update().where(later).values(due_ms=now_ms))


def forget_keys(conn: sa.Connection, before_ms: int) -> int:
    return conn.execute(idempotency.delete().where(idempotency.c.created_ms < before_ms)).rowcount


def prunable(conn: sa.Connection, before_ms: int, limit: int) -> set[str]:
    """Find messages of which every delivery ended before a time, oldest first."""
    other = deliveries.alias()
    still_open = sa.select(other.c.id).where(
        other.c.message_id == deliveries.c.message_id,
        sa.or_(other.c.ended_ms.is_(None), other.c.ended_ms >= before_ms),
    )
    # In the order of the index of ends, so that no more of it is read than is taken.
    query = (
        sa.select(deliveries.c.message_id)
        .where(deliveries.c.ended_ms < before_ms, ~still_open.exists())
        .order_by(deliveries.c.ended_ms)
    )
    return set(conn.execute(query.limit(limit)).scalars())


def threads_of(conn: sa.Connection, ids: Collection[str]) -> set[str]:
    """List the threads that messages are in."""
    query = sa.select(messages.c.thread).where(messages.c.id.in_(ids))
    return set(conn.execute(query.distinct()).scalars())


def delete_messages(conn: sa.Connection, ids: Collection[str]) -> None:
    of_these = sa.select(deliveries.c.id).where(deliveries.c.message_id.in_(ids))
    conn.execute(ladder.delete().where(ladder.c.delivery_id.in_(of_these)))
    conn.execute(deliveries.delete().where(deliveries.c.message_id.in_(ids)))
    conn.execute(messages.delete().where(messages.c.id.in_(ids)))
