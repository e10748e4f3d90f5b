"""The statements of mail, one named function each; those of one verb are in its `..._queries`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.guard.model import MARK
from bus.ids import TIME_CHARS, encode
from bus.store.schema import IS_FAILED, deliveries, idempotency, ladder, messages, participants
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.store.statement import Row
    from bus.store.transaction import Transaction
sender = participants.alias("sender")
recipient = participants.alias("recipient")
FULL = sa.select(
    deliveries,
    *[c for c in messages.c if c.name not in {"id", "priority", "expires_ms"}],
    sa.func.coalesce(deliveries.c.until_ms, messages.c.expires_ms).label("expires_ms"),
    sender.c.name.label("from_name"),
    sender.c.accepts.label("from_accepts"),
    sender.c.kind.label("from_kind"),
    recipient.c.name.label("to_name"),
    recipient.c.quiet.label("to_quiet"),
).select_from(
    deliveries.join(messages, messages.c.id == deliveries.c.message_id)
    .join(recipient, recipient.c.id == deliveries.c.recipient_id)
    .outerjoin(sender, sender.c.id == messages.c.sender_id)
)
"""A delivery with its message and both names: the row that the whole room works on."""
INSERT_MESSAGE = insert(messages)
INSERT_DELIVERY = insert(
    deliveries,
    *("message_id", "recipient_id", "state", "reason", "priority"),
    *("seq", "wakes", "quiet_ms", "due_ms", "queued_ms"),
    returning="id",
)
INSERT_RUNG = insert(ladder)
UPDATE_DELIVERY = Update(deliveries, "id")
HELD: sa.ColumnElement[str] = sa.literal_column("'held'")
"""Written out: a bound value would keep SQLite from the index of what is held."""


def insert_message(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_MESSAGE.run(conn, values)


def insert_delivery(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    return int(INSERT_DELIVERY.scalar(conn, **values))


def update_delivery(conn: sa.Connection, delivery_id: int, values: Mapping[str, Any]) -> None:
    UPDATE_DELIVERY.run(conn, delivery_id, values)


def insert_rung(tx: Transaction, rung: Mapping[str, Any]) -> None:
    """Add a rung, at the end of the transaction: no verb reads a ladder."""
    tx.write_later(INSERT_RUNG, rung)


ONE = Statement(FULL.where(deliveries.c.id == bind("delivery_id")))
OF_MESSAGE = Statement(FULL.where(messages.c.id == bind("message_id")).order_by(deliveries.c.id))
OF_RECIPIENT = Statement(
    FULL.where(
        deliveries.c.message_id == bind("message_id"),
        deliveries.c.recipient_id == bind("recipient_id"),
    )
)


def one(conn: sa.Connection, delivery_id: int) -> Row:
    return ONE.rows(conn, delivery_id=delivery_id)[0]


def of_recipient(conn: sa.Connection, message_id: str, recipient_id: int) -> Row | None:
    return OF_RECIPIENT.first(conn, message_id=message_id, recipient_id=recipient_id)


def of_message(conn: sa.Connection, message_id: str) -> Sequence[Row]:
    return OF_MESSAGE.rows(conn, message_id=message_id)


MINE = bind("recipient_id")


def open_in(recipient_id: Any, states: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(
        deliveries.c.recipient_id == recipient_id,
        deliveries.c.ended_ms.is_(None),
        deliveries.c.state.in_(states),
    )


def count_held(conn: sa.Connection, sender_id: int) -> int:
    """Count what is held of a sender's mail."""
    query = (
        sa.select(sa.func.count())
        .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
        .where(deliveries.c.state == HELD, messages.c.sender_id == sender_id)
    )
    return int(conn.execute(query).scalar_one())


def threads_held_of(conn: sa.Connection, participant_id: int) -> Sequence[str]:
    """List the threads of which the guard holds mail of somebody, or for somebody."""
    query = (
        sa.select(messages.c.thread)
        .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
        .where(
            deliveries.c.state == HELD,
            deliveries.c.reason.startswith(MARK),
            sa.or_(
                messages.c.sender_id == participant_id,
                deliveries.c.recipient_id == participant_id,
            ),
        )
    )
    return conn.execute(query.distinct()).scalars().all()


def failed(  # noqa: PLR0913, PLR0917 - what narrows a list
    conn: sa.Connection,
    states: Sequence[str],
    recipient_id: int | None,
    since_ms: int | None,
    below: int | None,
    own_of: int | None,
    limit: int,
) -> Sequence[Any]:
    """Read what ended without an ack, newest first; what the bus itself wrote is not among it."""
    query = FULL.where(IS_FAILED, messages.c.sender_id.is_not(None))
    query = query.where(deliveries.c.state.in_(states))
    if recipient_id is not None:
        query = query.where(deliveries.c.recipient_id == recipient_id)
    if since_ms is not None:
        query = query.where(deliveries.c.ended_ms >= since_ms)
    if below is not None:
        query = query.where(deliveries.c.id < below)
    if own_of is not None:
        ends = (messages.c.sender_id == own_of, deliveries.c.recipient_id == own_of)
        query = query.where(sa.or_(*ends))
    return conn.execute(query.order_by(deliveries.c.id.desc()).limit(limit)).all()


SENT_SINCE = Statement(
    sa.select(
        *(messages.c[name] for name in ("thread", "type", "subject", "sender_id")),
        *(messages.c[name] for name in ("created_ms", "reply_key")),
        *(deliveries.c[name] for name in ("message_id", "recipient_id", "seq")),
        sender.c.name.label("from_name"),
        recipient.c.name.label("to_name"),
    )
    .select_from(
        messages.join(deliveries, deliveries.c.message_id == messages.c.id)
        .join(recipient, recipient.c.id == deliveries.c.recipient_id)
        .outerjoin(sender, sender.c.id == messages.c.sender_id)
    )
    .where(deliveries.c.message_id >= bind("first"))
    .order_by(deliveries.c.message_id.desc())
    .limit(bind("most"))
)


def sent_since(conn: sa.Connection, since_ms: int, limit: int) -> Sequence[Row]:
    """Read whose messages were sent since a time, newest first and without bodies.

    By their ids, which begin with the time: the index of the keys is enough.
    """
    first = f"m_{encode(since_ms, TIME_CHARS)}"
    return SENT_SINCE.rows(conn, first=first, most=limit)


IN_THREAD = FULL.where(messages.c.thread == bind("thread"))
OF_THREAD, HELD_IN = Statement(IN_THREAD), Statement(IN_THREAD.where(deliveries.c.state == "held"))


def held_in(conn: sa.Connection, thread: str) -> Sequence[Row]:
    return HELD_IN.rows(conn, thread=thread)


def of_thread(conn: sa.Connection, thread: str) -> Sequence[Row]:
    return OF_THREAD.rows(conn, thread=thread)


LAST_IN = Statement(
    sa.select(messages)
    .where(messages.c.thread == bind("thread"))
    .order_by(messages.c.created_ms.desc(), messages.c.id.desc())
    .limit(1)
)


def last_in(conn: sa.Connection, thread: str) -> Row | None:
    """Read what was written last in a thread, with who wrote it."""
    return LAST_IN.first(conn, thread=thread)


def most_hops(conn: sa.Connection, thread: str) -> int:
    query = sa.select(sa.func.max(messages.c.hops)).where(messages.c.thread == thread)
    return int(conn.execute(query).scalar() or 0)


def members(conn: sa.Connection, thread: str, limit: int) -> Sequence[int]:
    """List those who wrote in a thread, and those to whom was written there."""
    there = messages.c.thread == thread
    senders = sa.select(messages.c.sender_id).where(there, messages.c.sender_id.is_not(None))
    both = deliveries.join(messages, messages.c.id == deliveries.c.message_id)
    readers = sa.select(deliveries.c.recipient_id).select_from(both).where(there)
    return conn.execute(senders.union(readers).limit(limit)).scalars().all()


def rungs(conn: sa.Connection, delivery_ids: Sequence[int]) -> Sequence[Any]:
    return conn.execute(
        sa.select(ladder).where(ladder.c.delivery_id.in_(delivery_ids)).order_by(ladder.c.id)
    ).all()


BY_REPLY_KEY = Statement(sa.select(messages.c.id).where(messages.c.reply_key == bind("key")))


def by_reply_key(conn: sa.Connection, key: str) -> str | None:
    message_id: str | None = BY_REPLY_KEY.scalar(conn, key=key)
    return message_id


def replies_to(conn: sa.Connection, message_id: str) -> Sequence[Any]:
    return conn.execute(
        sa.select(messages.c.id, messages.c.sender_id)
        .where(messages.c.in_reply_to == message_id)
        .order_by(messages.c.created_ms)
    ).all()


def _from_to(sender: str, recipient: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        messages.c.sender_id == bind(sender), deliveries.c.recipient_id == bind(recipient)
    )


BETWEEN = Statement(
    FULL.where(
        sa.or_(
            _from_to("me", "other"),
            sa.and_(_from_to("other", "me"), deliveries.c.seq.is_not(None)),
        )
    )
    .order_by(deliveries.c.id.desc())
    .limit(bind("most"))
)


def between(conn: sa.Connection, me: int, other: int, limit: int) -> Sequence[Row]:
    """Read the last deliveries between two, either way, newest first."""
    return BETWEEN.rows(conn, me=me, other=other, most=limit)


FIND_KEY = Statement(
    sa.select(idempotency).where(
        idempotency.c.principal == bind("principal"),
        idempotency.c.route == bind("route"),
        idempotency.c.key == bind("key"),
    )
)
KEEP_KEY = insert(idempotency)


def find_key(conn: sa.Connection, principal: str, route: str, key: str) -> Row | None:
    return FIND_KEY.first(conn, principal=principal, route=route, key=key)


def keep_key(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    KEEP_KEY.run(conn, {**values, "answer": json.dumps(values["answer"])})
