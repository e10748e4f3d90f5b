"""Every statement of mail, one named function each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.mail.model import READABLE, WAITING
from bus.store.schema import deliveries, idempotency, ladder, messages, participants

if TYPE_CHECKING:
    from collections.abc import Sequence

sender = participants.alias("sender")
recipient = participants.alias("recipient")
FULL = sa.select(
    deliveries,
    *[c for c in messages.c if c.name not in {"id", "priority"}],
    sender.c.name.label("from_name"),
    sender.c.accepts.label("from_accepts"),
    recipient.c.name.label("to_name"),
).select_from(
    deliveries.join(messages, messages.c.id == deliveries.c.message_id)
    .join(recipient, recipient.c.id == deliveries.c.recipient_id)
    .outerjoin(sender, sender.c.id == messages.c.sender_id)
)
"""A delivery with its message and both names: the row that the whole room works on."""


def insert_message(conn: sa.Connection, values: dict[str, Any]) -> None:
    conn.execute(messages.insert(), values)


def insert_delivery(conn: sa.Connection, values: dict[str, Any]) -> int:
    return int(
        conn.execute(deliveries.insert().values(values).returning(deliveries.c.id)).scalar_one()
    )


def update_delivery(conn: sa.Connection, delivery_id: int, values: dict[str, Any]) -> None:
    conn.execute(deliveries.update().where(deliveries.c.id == delivery_id), values)


def insert_rung(conn: sa.Connection, values: dict[str, Any]) -> None:
    conn.execute(ladder.insert(), values)


def one(conn: sa.Connection, delivery_id: int) -> sa.Row[Any]:
    return conn.execute(FULL.where(deliveries.c.id == delivery_id)).one()


def of_recipient(conn: sa.Connection, message_id: str, recipient_id: int) -> sa.Row[Any] | None:
    return conn.execute(
        FULL.where(deliveries.c.message_id == message_id, deliveries.c.recipient_id == recipient_id)
    ).first()


def of_message(conn: sa.Connection, message_id: str) -> Sequence[Any]:
    return conn.execute(FULL.where(messages.c.id == message_id).order_by(deliveries.c.id)).all()


def _open_of(recipient_id: int, states: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(
        deliveries.c.recipient_id == recipient_id,
        deliveries.c.ended_ms.is_(None),
        deliveries.c.state.in_(states),
    )


def readable(
    conn: sa.Connection, recipient_id: int, limit: int, only: str | None = None
) -> Sequence[Any]:
    """Read what an inbox shows: urgent first, then oldest."""
    query = FULL.where(_open_of(recipient_id, READABLE))
    if only:
        query = query.where(deliveries.c.message_id == only)
    return conn.execute(query.order_by(deliveries.c.priority, deliveries.c.seq).limit(limit)).all()


def count_readable(conn: sa.Connection, recipient_id: int, only: str | None = None) -> int:
    query = sa.select(sa.func.count()).where(_open_of(recipient_id, READABLE))
    if only:
        query = query.where(deliveries.c.message_id == only)
    return int(conn.execute(query).scalar_one())


def waiting(conn: sa.Connection, recipient_id: int) -> Sequence[Any]:
    """Read what a wake would be for: deliverable, not read, and meant to wake."""
    query = FULL.where(_open_of(recipient_id, WAITING), deliveries.c.wakes == 1)
    return conn.execute(query.order_by(deliveries.c.priority, deliveries.c.seq)).all()


def set_reason(conn: sa.Connection, recipient_id: int, reason: str) -> None:
    """Write a reason on all that a wake would be for."""
    others = sa.and_(
        _open_of(recipient_id, WAITING), deliveries.c.wakes == 1, deliveries.c.reason != reason
    )
    conn.execute(deliveries.update().where(others).values(reason=reason))


def count_waiting(conn: sa.Connection, recipient_id: int) -> tuple[int, int]:
    """Count what a wake would be for: all, and the urgent."""
    urgent = sa.func.count().filter(deliveries.c.priority == 0)
    query = sa.select(sa.func.count(), urgent).where(
        _open_of(recipient_id, WAITING), deliveries.c.wakes == 1
    )
    row = conn.execute(query).one()
    return int(row[0]), int(row[1])


def leased(conn: sa.Connection, recipient_id: int) -> Sequence[Any]:
    return conn.execute(FULL.where(_open_of(recipient_id, ("read",)))).all()


def open_of(conn: sa.Connection, recipient_id: int) -> Sequence[Any]:
    """Read all of a recipient's deliveries that have not ended, held ones too."""
    here = sa.and_(deliveries.c.recipient_id == recipient_id, deliveries.c.ended_ms.is_(None))
    return conn.execute(FULL.where(here).order_by(deliveries.c.id)).all()


def count_open(conn: sa.Connection, recipient_id: int) -> int:
    """Count what fills an inbox: what its owner can read, and so can settle."""
    query = sa.select(sa.func.count()).where(_open_of(recipient_id, READABLE))
    return int(conn.execute(query).scalar_one())


def count_held(conn: sa.Connection, sender_id: int) -> int:
    """Count what is held of a sender's mail."""
    query = (
        sa.select(sa.func.count())
        .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
        .where(deliveries.c.state == "held", messages.c.sender_id == sender_id)
    )
    return int(conn.execute(query).scalar_one())


def due(conn: sa.Connection, now_ms: int, limit: int) -> Sequence[Any]:
    query = FULL.where(deliveries.c.due_ms <= now_ms).order_by(deliveries.c.due_ms)
    return conn.execute(query.limit(limit)).all()


def first_due(conn: sa.Connection) -> int | None:
    query = sa.select(sa.func.min(deliveries.c.due_ms)).where(deliveries.c.due_ms.is_not(None))
    return conn.execute(query).scalar()


def held_in(conn: sa.Connection, thread: str) -> Sequence[Any]:
    return conn.execute(FULL.where(messages.c.thread == thread, deliveries.c.state == "held")).all()


def of_thread(conn: sa.Connection, thread: str) -> Sequence[Any]:
    return conn.execute(FULL.where(messages.c.thread == thread)).all()


def most_hops(conn: sa.Connection, thread: str) -> int:
    query = sa.select(sa.func.max(messages.c.hops)).where(messages.c.thread == thread)
    return int(conn.execute(query).scalar() or 0)


def rungs(conn: sa.Connection, delivery_ids: Sequence[int]) -> Sequence[Any]:
    return conn.execute(
        sa.select(ladder).where(ladder.c.delivery_id.in_(delivery_ids)).order_by(ladder.c.id)
    ).all()


def message(conn: sa.Connection, message_id: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(messages).where(messages.c.id == message_id)).first()


def by_reply_key(conn: sa.Connection, key: str) -> str | None:
    return conn.execute(sa.select(messages.c.id).where(messages.c.reply_key == key)).scalar()


def replies_to(conn: sa.Connection, message_id: str) -> Sequence[Any]:
    return conn.execute(
        sa.select(messages.c.id, messages.c.sender_id)
        .where(messages.c.in_reply_to == message_id)
        .order_by(messages.c.created_ms)
    ).all()


def between(conn: sa.Connection, me: int, other: int, limit: int) -> Sequence[Any]:
    """Read the last deliveries between two, either way, newest first."""
    pair = sa.or_(
        sa.and_(messages.c.sender_id == me, deliveries.c.recipient_id == other),
        sa.and_(
            messages.c.sender_id == other,
            deliveries.c.recipient_id == me,
            deliveries.c.seq.is_not(None),
        ),
    )
    return conn.execute(FULL.where(pair).order_by(deliveries.c.id.desc()).limit(limit)).all()


def touch_reader(conn: sa.Connection, participant_id: int, now_ms: int, *, has_new: bool) -> None:
    """Note that somebody read; one that took something new can be reached again."""
    values = {"last_read_ms": now_ms} | ({"wake_failures": 0} if has_new else {})
    conn.execute(participants.update().where(participants.c.id == participant_id).values(values))


def spare_leases(conn: sa.Connection, until_ms: int) -> None:
    """Lengthen the leases to a time at least."""
    short = sa.and_(deliveries.c.state == "read", deliveries.c.due_ms < until_ms)
    values = {"lease_until_ms": until_ms, "due_ms": until_ms}
    conn.execute(deliveries.update().where(short).values(values))


def find_key(conn: sa.Connection, principal: str, route: str, key: str) -> sa.Row[Any] | None:
    return conn.execute(
        sa.select(idempotency).where(
            idempotency.c.principal == principal,
            idempotency.c.route == route,
            idempotency.c.key == key,
        )
    ).first()


def keep_key(conn: sa.Connection, values: dict[str, Any]) -> None:
    conn.execute(idempotency.insert(), {**values, "answer": json.dumps(values["answer"])})


def forget_keys(conn: sa.Connection, before_ms: int) -> int:
    return conn.execute(idempotency.delete().where(idempotency.c.created_ms < before_ms)).rowcount


def prunable(conn: sa.Connection, before_ms: int, limit: int) -> list[str]:
    """List messages of which every delivery ended before a time, oldest first."""
    still_open = sa.select(deliveries.c.id).where(
        deliveries.c.message_id == messages.c.id,
        sa.or_(deliveries.c.ended_ms.is_(None), deliveries.c.ended_ms >= before_ms),
    )
    old = sa.select(deliveries.c.message_id).where(deliveries.c.ended_ms < before_ms)
    query = sa.select(messages.c.id).where(messages.c.id.in_(old), ~still_open.exists())
    return list(conn.execute(query.limit(limit)).scalars())


def delete_messages(conn: sa.Connection, ids: list[str]) -> None:
    of_these = sa.select(deliveries.c.id).where(deliveries.c.message_id.in_(ids))
    conn.execute(ladder.delete().where(ladder.c.delivery_id.in_(of_these)))
    conn.execute(deliveries.delete().where(deliveries.c.message_id.in_(ids)))
    conn.execute(messages.delete().where(messages.c.id.in_(ids)))
