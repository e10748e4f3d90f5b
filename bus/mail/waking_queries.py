"""What a wake would be for, and the leases of turns: its statements, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.ids import RANDOM_CHARS, TIME_CHARS
from bus.mail.model import ENTRY_KEY, WAITING
from bus.mail.queries import FULL, MINE, open_in
from bus.store.schema import IS_FAILED, deliveries, messages, participants
from bus.store.statement import Statement, beginning, bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row


KEY_CHARS = len(ENTRY_KEY) + len("s_") + TIME_CHARS + RANDOM_CHARS
TO_WAKE = sa.and_(open_in(MINE, WAITING), deliveries.c.wakes == 1)
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
OF_PEOPLE = sa.select(participants.c.id).where(participants.c.kind == "person")
IS_OF_PERSON = Statement(
    sa.select(deliveries.c.id)
    .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
    .where(TO_WAKE, messages.c.sender_id.in_(OF_PEOPLE))
    .limit(1)
)
THREADS_SETTLED = Statement(
    sa.select(messages.c.thread)
    .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
    .where(
        deliveries.c.recipient_id == MINE,
        deliveries.c.ended_ms >= bind("since_ms"),
        deliveries.c.lease_wake == bind("wake_id"),
    )
)
IS_WAITING = Statement(sa.select(deliveries.c.id).where(TO_WAKE).limit(1))
COUNT_WAITING = Statement(
    sa.select(sa.func.count(), sa.func.count().filter(deliveries.c.priority == 0)).where(TO_WAKE)
)
KEYS = sa.and_(TO_WAKE, messages.c.reply_key.startswith(ENTRY_KEY))
KEYS_WAITING = Statement(
    sa.select(
        sa.func.count(),
        *(most(beginning(messages.c.reply_key, KEY_CHARS)) for most in (sa.func.min, sa.func.max)),
    )
    .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
    .where(KEYS)
)
"""Of what tells of sessions: how much waits, and the least and the greatest name of a session."""


def waiting_of_sessions(conn: sa.Connection, recipient_id: int) -> Row:
    """Read how much waits that tells of sessions, and the keys of two of these at its ends."""
    return KEYS_WAITING.rows(conn, recipient_id=recipient_id)[0]


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


def threads_settled(
    conn: sa.Connection, recipient_id: int, wake_id: str, since_ms: int
) -> list[str]:
    """List the threads of what was read for a wake and ended since a time."""
    rows = THREADS_SETTLED.rows(conn, recipient_id=recipient_id, wake_id=wake_id, since_ms=since_ms)
    return [row.thread for row in rows]


def is_of_person(conn: sa.Connection, recipient_id: int) -> bool:
    """Say whether a person's word is among what a wake would be for."""
    return IS_OF_PERSON.first(conn, recipient_id=recipient_id) is not None


def recipients_waiting(conn: sa.Connection) -> list[int]:
    """List the participants for whom a wake would be."""
    query = sa.select(deliveries.c.recipient_id).where(
        deliveries.c.state.in_(WAITING), deliveries.c.ended_ms.is_(None), deliveries.c.wakes == 1
    )
    return list(conn.execute(query.distinct()).scalars())


def set_reason(conn: sa.Connection, recipient_id: int, reason: str) -> None:
    """Write a reason on all that a wake would be for."""
    others = sa.and_(
        open_in(recipient_id, WAITING), deliveries.c.wakes == 1, deliveries.c.reason != reason
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


def count_all_open(conn: sa.Connection) -> int:
    query = sa.select(sa.func.count()).where(deliveries.c.ended_ms.is_(None))
    return int(conn.execute(query.select_from(deliveries)).scalar_one())


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
