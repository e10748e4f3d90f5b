"""Every statement of mail, one named function each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.mail.model import WAITING
from bus.store.schema import IS_FAILED, deliveries, idempotency, ladder, messages, participants
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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
    recipient.c.name.label("to_name"),
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
    *("seq", "wakes", "due_ms", "queued_ms"),
    returning="id",
)
INSERT_RUNG = insert(ladder)
UPDATE_DELIVERY = Update(deliveries, "id")


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


def _open_of(recipient_id: Any, states: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(
        deliveries.c.recipient_id == recipient_id,
        deliveries.c.ended_ms.is_(None),
        deliveries.c.state.in_(states),
    )


MINE = bind("recipient_id")
IN_INBOX = sa.and_(
    deliveries.c.recipient_id == MINE,
    deliveries.c.ended_ms.is_(None),
    deliveries.c.seq.is_not(None),
)
"""What an inbox holds: a delivery has its place in the log from when it can be read."""
TO_WAKE = sa.and_(_open_of(MINE, WAITING), deliveries.c.wakes == 1)
READ_NEXT = FULL.where(IN_INBOX).order_by(deliveries.c.priority, deliveries.c.seq)
READ_INBOX = Statement(READ_NEXT.limit(bind("most")))
READ_ONE = Statement(
    FULL.where(IN_INBOX, deliveries.c.message_id == bind("only")).limit(bind("most"))
)
COUNT_INBOX = Statement(sa.select(sa.func.count()).where(IN_INBOX))
COUNT_ONE = Statement(
    sa.select(sa.func.count()).where(IN_INBOX, deliveries.c.message_id == bind("only"))
)
WAITING_OF = Statement(FULL.where(TO_WAKE).order_by(deliveries.c.priority, deliveries.c.seq))
ASKED_FOR = Statement(
    FULL.where(TO_WAKE, deliveries.c.wake_id == bind("wake_id")).order_by(
        deliveries.c.priority, deliveries.c.seq
    )
)
NOT_ASKED_FOR = Statement(
    FULL.where(TO_WAKE, deliveries.c.wake_id.is_distinct_from(bind("wake_id"))).order_by(
        deliveries.c.priority, deliveries.c.seq
    )
)
IS_WAITING = Statement(sa.select(deliveries.c.id).where(TO_WAKE).limit(1))
COUNT_WAITING = Statement(
    sa.select(sa.func.count(), sa.func.count().filter(deliveries.c.priority == 0)).where(TO_WAKE)
)
READ: sa.ColumnElement[str] = sa.literal_column("'read'")
"""Written out: a bound value would keep SQLite from the index of leased deliveries."""
LEASED = Statement(
    FULL.where(deliveries.c.recipient_id == MINE, deliveries.c.state == READ).order_by(
        deliveries.c.id
    )
)


def readable(
    conn: sa.Connection, recipient_id: int, limit: int, only: str | None = None
) -> Sequence[Row]:
    """Read what an inbox shows: urgent first, then oldest."""
    if only:
        return READ_ONE.rows(conn, recipient_id=recipient_id, only=only, most=limit)
    return READ_INBOX.rows(conn, recipient_id=recipient_id, most=limit)


def count_readable(conn: sa.Connection, recipient_id: int, only: str | None = None) -> int:
    """Count what an inbox holds, or whether it holds one message."""
    if only:
        return int(COUNT_ONE.scalar(conn, recipient_id=recipient_id, only=only))
    return int(COUNT_INBOX.scalar(conn, recipient_id=recipient_id))


def waiting(conn: sa.Connection, recipient_id: int) -> Sequence[Row]:
    """Read what a wake would be for: deliverable, not read, and meant to wake."""
    return WAITING_OF.rows(conn, recipient_id=recipient_id)


def asked_for(conn: sa.Connection, recipient_id: int, wake_id: str) -> Sequence[Row]:
    """Read what waits and was on a wake that its watcher has."""
    return ASKED_FOR.rows(conn, recipient_id=recipient_id, wake_id=wake_id)


def not_asked_for(conn: sa.Connection, recipient_id: int, wake_id: str) -> Sequence[Row]:
    """Read what waits and was not on this wake."""
    return NOT_ASKED_FOR.rows(conn, recipient_id=recipient_id, wake_id=wake_id)


def is_waiting(conn: sa.Connection, recipient_id: int) -> bool:
    """Say whether there is something that a wake would be for; cheaper than to count it."""
    return IS_WAITING.first(conn, recipient_id=recipient_id) is not None


def recipients_waiting(conn: sa.Connection) -> list[int]:
    """List the participants for whom a wake would be."""
    query = sa.select(deliveries.c.recipient_id).where(
        deliveries.c.state.in_(WAITING), deliveries.c.ended_ms.is_(None), deliveries.c.wakes == 1
    )
    return list(conn.execute(query.distinct()).scalars())


def set_reason(conn: sa.Connection, recipient_id: int, reason: str) -> None:
    """Write a reason on all that a wake would be for."""
    others = sa.and_(
        _open_of(recipient_id, WAITING), deliveries.c.wakes == 1, deliveries.c.reason != reason
    )
    conn.execute(deliveries.update().where(others).values(reason=reason))


def count_waiting(conn: sa.Connection, recipient_id: int) -> tuple[int, int]:
    """Count what a wake would be for: all, and the urgent."""
    row = COUNT_WAITING.rows(conn, recipient_id=recipient_id)[0]
    return int(row[0]), int(row[1])


def count_waiting_of(conn: sa.Connection, ids: Sequence[int]) -> dict[int, int]:
    """Count for each what a wake would be for."""
    wanted = sa.and_(
        deliveries.c.recipient_id.in_(ids),
        deliveries.c.ended_ms.is_(None),
        deliveries.c.state.in_(WAITING),
        deliveries.c.wakes == 1,
    )
    query = sa.select(deliveries.c.recipient_id, sa.func.count().label("waiting")).where(wanted)
    rows = conn.execute(query.group_by(deliveries.c.recipient_id))
    return {row.recipient_id: row.waiting for row in rows}


NOTES_BEYOND = Statement(
    FULL.where(_open_of(MINE, WAITING), messages.c.sender_id.is_(None))
    .order_by(deliveries.c.id.desc())
    .limit(-1)
    .offset(bind("newest"))
)


def notes_beyond(conn: sa.Connection, recipient_id: int, newest: int) -> Sequence[Row]:
    """Read what the bus itself wrote to somebody and nobody has read, but for the newest ones."""
    return NOTES_BEYOND.rows(conn, recipient_id=recipient_id, newest=newest)


def leased(conn: sa.Connection, recipient_id: int) -> Sequence[Row]:
    return LEASED.rows(conn, recipient_id=recipient_id)


def count_all_open(conn: sa.Connection) -> int:
    query = sa.select(sa.func.count()).where(deliveries.c.ended_ms.is_(None))
    return int(conn.execute(query.select_from(deliveries)).scalar_one())


OPEN_OF = Statement(
    FULL.where(deliveries.c.recipient_id == MINE, deliveries.c.ended_ms.is_(None)).order_by(
        deliveries.c.id
    )
)


def open_of(conn: sa.Connection, recipient_id: int) -> Sequence[Row]:
    """Read all of a recipient's deliveries that have not ended, held ones too."""
    return OPEN_OF.rows(conn, recipient_id=recipient_id)


def count_held(conn: sa.Connection, sender_id: int) -> int:
    """Count what is held of a sender's mail."""
    query = (
        sa.select(sa.func.count())
        .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
        .where(deliveries.c.state == "held", messages.c.sender_id == sender_id)
    )
    return int(conn.execute(query).scalar_one())


DUE = Statement(
    FULL.where(deliveries.c.due_ms <= bind("now_ms"))
    .order_by(deliveries.c.due_ms)
    .limit(bind("most"))
)
NEXT_DUE = Statement(
    sa.select(deliveries.c.id, deliveries.c.due_ms)
    .where(deliveries.c.due_ms.is_not(None))
    .order_by(deliveries.c.due_ms)
    .limit(bind("most"))
)


def due(conn: sa.Connection, now_ms: int, limit: int, without: Collection[int] = ()) -> list[Row]:
    rows = DUE.rows(conn, now_ms=now_ms, most=limit + len(without))
    return [row for row in rows if row.id not in without][:limit]


def first_due(conn: sa.Connection, without: Collection[int] = ()) -> int | None:
    rows = NEXT_DUE.rows(conn, most=1 + len(without))
    return next((row.due_ms for row in rows if row.id not in without), None)


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


IN_THREAD = FULL.where(messages.c.thread == bind("thread"))
OF_THREAD, HELD_IN = Statement(IN_THREAD), Statement(IN_THREAD.where(deliveries.c.state == "held"))


def held_in(conn: sa.Connection, thread: str) -> Sequence[Row]:
    return HELD_IN.rows(conn, thread=thread)


def of_thread(conn: sa.Connection, thread: str) -> Sequence[Row]:
    return OF_THREAD.rows(conn, thread=thread)


def most_hops(conn: sa.Connection, thread: str) -> int:
    query = sa.select(sa.func.max(messages.c.hops)).where(messages.c.thread == thread)
    return int(conn.execute(query).scalar() or 0)


def rungs(conn: sa.Connection, delivery_ids: Sequence[int]) -> Sequence[Any]:
    return conn.execute(
        sa.select(ladder).where(ladder.c.delivery_id.in_(delivery_ids)).order_by(ladder.c.id)
    ).all()


def message(conn: sa.Connection, message_id: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(messages).where(messages.c.id == message_id)).first()


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


UPDATE_READER = Update(participants, "id")


def touch_reader(conn: sa.Connection, participant_id: int, now_ms: int, *, has_new: bool) -> None:
    """Note that somebody read; one that took something new can be reached again."""
    values = {"last_read_ms": now_ms} | ({"wake_failures": 0} if has_new else {})
    UPDATE_READER.run(conn, participant_id, values)


def spare_leases(conn: sa.Connection, until_ms: int) -> None:
    """Lengthen the leases to a time at least."""
    short = sa.and_(deliveries.c.state == "read", deliveries.c.due_ms < until_ms)
    values = {"lease_until_ms": until_ms, "due_ms": until_ms}
    conn.execute(deliveries.update().where(short).values(values))


def renumber_leases(conn: sa.Connection, first: int, life: int) -> None:
    """Have the leases to come be numbered from `first` on, also of what may be sent again."""
    values = {"attempt": first + deliveries.c.attempt % life}
    to_come = sa.or_(deliveries.c.ended_ms.is_(None), IS_FAILED)
    conn.execute(deliveries.update().where(to_come).values(values))


def with_leases(conn: sa.Connection) -> list[int]:
    """List the participants who have something on lease."""
    query = sa.select(deliveries.c.recipient_id).where(
        deliveries.c.state == "read", deliveries.c.ended_ms.is_(None)
    )
    return list(conn.execute(query.distinct()).scalars())


def shorten_leases(conn: sa.Connection, beyond_ms: int, until_ms: int) -> None:
    """Cut off those leases that would last beyond a time."""
    long = sa.and_(deliveries.c.state == "read", deliveries.c.due_ms > beyond_ms)
    values = {"lease_until_ms": until_ms, "due_ms": until_ms}
    conn.execute(deliveries.update().where(long).values(values))


def hasten_notes(conn: sa.Connection, by_ms: int) -> None:
    """Have a note of delay no later than at a time."""
    far = sa.and_(
        deliveries.c.state.in_(WAITING),
        deliveries.c.delayed_ms.is_(None),
        deliveries.c.due_ms > by_ms,
    )
    conn.execute(deliveries.update().where(far).values(due_ms=by_ms))


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


def delete_messages(conn: sa.Connection, ids: Collection[str]) -> None:
    of_these = sa.select(deliveries.c.id).where(deliveries.c.message_id.in_(ids))
    conn.execute(ladder.delete().where(ladder.c.delivery_id.in_(of_these)))
    conn.execute(deliveries.delete().where(deliveries.c.message_id.in_(ids)))
    conn.execute(messages.delete().where(messages.c.id.in_(ids)))
