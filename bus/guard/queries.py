"""Every statement of the guard, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.schema import (
    BEGUN_BY_BUS,
    IS_HELD,
    RESULT_KEY,
    deliveries,
    holds,
    messages,
    wake_budgets,
)
from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bus.store.statement import Row

HOLD = Statement(sa.select(holds).where(holds.c.thread == bind("thread")))
PAIR = (bind("one"), bind("other"))
ASKED = sa.select(bind("thread").label("thread")).subquery("asked")
FROM = sa.func.coalesce(holds.c.released_ms, 0)
IN_THREAD = sa.and_(messages.c.thread == bind("thread"), messages.c.created_ms > FROM)
IS_TOLD = sa.and_(messages.c.sender_id.is_(None), messages.c.path != BEGUN_BY_BUS)
"""What the bus tells of somebody's deed: it counts as a word of theirs."""
BURST = (
    sa.select(sa.func.count())
    .select_from(messages.join(deliveries, deliveries.c.message_id == messages.c.id))
    .where(
        IN_THREAD,
        messages.c.created_ms > bind("minute_ms"),
        sa.or_(messages.c.sender_id.in_(PAIR), IS_TOLD),
        deliveries.c.recipient_id.in_(PAIR),
    )
    .correlate(holds)
    .scalar_subquery()
)
MESSAGES = (
    sa.select(sa.func.count())
    .select_from(messages)
    .where(IN_THREAD, messages.c.created_ms > bind("day_ms"))
    .correlate(holds)
    .scalar_subquery()
)
SO_FAR = Statement(
    sa.select(
        holds.c.reason,
        holds.c.released_ms,
        holds.c.from_hops,
        holds.c.warned_ms,
        holds.c.wakes,
        holds.c.wakes_ms,
        BURST.label("burst"),
        MESSAGES.label("messages"),
    ).select_from(ASKED.outerjoin(holds, holds.c.thread == ASKED.c.thread))
)
IS_RESULT = sa.func.coalesce(messages.c.reply_key, "").startswith(RESULT_KEY)
"""What the bus wrote at a run's end, whatever type others claim for theirs."""
SINCE = sa.and_(messages.c.thread == bind("thread"), messages.c.created_ms > bind("since_ms"))
BY_KIND = Statement(
    sa.select(
        sa.func.count().filter(IS_RESULT).label("results"),
        sa.func.count().filter(messages.c.sender_id.is_not(None), ~IS_RESULT).label("others"),
    ).where(SINCE)
)
TO_SELF = Statement(
    sa.select(sa.func.count())
    .select_from(messages.join(deliveries, deliveries.c.message_id == messages.c.id))
    .where(
        messages.c.sender_id == bind("whose"),
        messages.c.created_ms > bind("since_ms"),
        deliveries.c.recipient_id == bind("whose"),
    )
)


def so_far(
    conn: sa.Connection, thread: str, pair: tuple[int, int], minute_ms: int, day_ms: int
) -> Row:
    """Read what a thread has come to; nothing of what was before its release counts."""
    one, other = pair
    return SO_FAR.rows(
        conn, thread=thread, one=one, other=other, minute_ms=minute_ms, day_ms=day_ms
    )[0]


def count_by_kind(conn: sa.Connection, thread: str, since_ms: int) -> tuple[int, int]:
    """Count the results of workers in a thread, and what else was written but by the bus."""
    row = BY_KIND.rows(conn, thread=thread, since_ms=since_ms)[0]
    return int(row.results), int(row.others)


def count_to_self(conn: sa.Connection, participant_id: int, since_ms: int) -> int:
    """Count what somebody wrote to itself, in whatever thread."""
    return int(TO_SELF.scalar(conn, whose=participant_id, since_ms=since_ms))


def hold_of(conn: sa.Connection, thread: str) -> Row | None:
    """Give what is kept of a thread: why it is held, when it was let go, how far it had come."""
    return HOLD.first(conn, thread=thread)


def keep(conn: sa.Connection, thread: str, now_ms: int, **values: Any) -> None:
    """Keep something of a thread."""
    mine = holds.c.thread == thread
    if not conn.execute(holds.update().where(mine).values(values)).rowcount:
        new = {"thread": thread, "at_ms": now_ms, "reason": "", **values}
        conn.execute(holds.insert().values(new))


def count_wake(conn: sa.Connection, thread: str, now_ms: int, day_ms: int) -> None:
    """Count a wake for a thread; the count begins anew a day after its first."""
    is_today = holds.c.wakes_ms > day_ms
    values = {
        "wakes": sa.case((is_today, holds.c.wakes + 1), else_=1),
        "wakes_ms": sa.case((is_today, holds.c.wakes_ms), else_=now_ms),
    }
    mine = holds.c.thread == thread
    if not conn.execute(holds.update().where(mine).values(values)).rowcount:
        new = {"thread": thread, "at_ms": now_ms, "reason": "", "wakes": 1, "wakes_ms": now_ms}
        conn.execute(holds.insert().values(new))


def release(conn: sa.Connection, thread: str, hops: int, now_ms: int) -> bool:
    """Mark a held thread as released; says whether it was held."""
    held = sa.and_(holds.c.thread == thread, IS_HELD)
    anew = {"released_ms": now_ms, "from_hops": hops, "warned_ms": None, "wakes": 0}
    return bool(conn.execute(holds.update().where(held).values(anew)).rowcount)


def all_held(conn: sa.Connection, limit: int) -> Sequence[Row]:
    """List the held threads, the newest first."""
    query = sa.select(holds).where(IS_HELD).order_by(holds.c.at_ms.desc()).limit(limit)
    return conn.execute(query).all()


def forget(conn: sa.Connection, threads: Collection[str]) -> None:
    """Remove what is known of those threads of which nothing is kept."""
    there = sa.select(messages.c.id).where(messages.c.thread == holds.c.thread)
    conn.execute(holds.delete().where(holds.c.thread.in_(threads), ~there.exists()))


BUDGET = Statement(sa.select(wake_budgets).where(wake_budgets.c.participant_id == bind("whose")))


def budget_of(conn: sa.Connection, participant_id: int) -> Row | None:
    return BUDGET.first(conn, whose=participant_id)


def let_go_since(conn: sa.Connection, since_ms: int) -> dict[int, int]:
    """Give whose wakes count anew since a time, each with the time from which they do."""
    query = sa.select(wake_budgets.c.participant_id, wake_budgets.c.from_ms)
    rows = conn.execute(query.where(wake_budgets.c.from_ms > since_ms))
    return {row.participant_id: row.from_ms for row in rows}


def keep_budget(conn: sa.Connection, participant_id: int, **values: int) -> None:
    """Keep something of an agent's budget of wakes."""
    mine = wake_budgets.c.participant_id == participant_id
    if not conn.execute(wake_budgets.update().where(mine).values(values)).rowcount:
        conn.execute(wake_budgets.insert().values(participant_id=participant_id, **values))
