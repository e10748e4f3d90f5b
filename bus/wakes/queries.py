"""Every statement of the wake ledger, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.guard.model import MARK
from bus.store.deadlines import Deadlines
from bus.store.schema import nodes, participants, wakes
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.store.statement import Row

FULL = sa.select(
    wakes,
    participants.c.name.label("to_agent"),
    participants.c.local_agent,
    participants.c.session_key,
    nodes.c.name.label("node_name"),
).select_from(
    wakes.join(participants, participants.c.id == wakes.c.participant_id).outerjoin(
        nodes, nodes.c.id == wakes.c.node_id
    )
)


FIND = Statement(FULL.where(wakes.c.id == bind("wake_id")))
OPEN_OF = Statement(
    FULL.where(wakes.c.participant_id == bind("whose"), wakes.c.closed_ms.is_(None))
)
LAST_CLOSED = Statement(
    FULL.where(wakes.c.participant_id == bind("whose"), wakes.c.closed_ms.is_not(None))
    .order_by(wakes.c.generation.desc())
    .limit(1)
)
JUDGED = ("id", "kind", "node_id", "paused", "removed_ms", "quiet", "generation", "wake_failures")
"""By what it is judged whether an agent is woken: each send looks, and pays for every column."""
AGENT = Statement(
    sa.select(*(participants.c[name] for name in JUDGED)).where(participants.c.id == bind("whose"))
)
NEXT_GENERATION = Statement(
    participants.update()
    .where(participants.c.id == bind("whose"))
    .values(generation=participants.c.generation + 1)
    .returning(participants.c.generation)
)
BEGUN = sa.and_(wakes.c.participant_id == bind("whose"), wakes.c.admitted_ms > bind("since_ms"))
LAST_BEGUN = (
    sa.select(wakes.c.admitted_ms)
    .where(BEGUN)
    .order_by(wakes.c.admitted_ms.desc())
    .limit(bind("most"))
    .subquery()
)
COUNT_BEGUN = Statement(
    sa.select(
        sa.func.count().label("number"), sa.func.min(LAST_BEGUN.c.admitted_ms).label("first_ms")
    )
)
INSERT = insert(
    wakes,
    *("id", "participant_id", "node_id", "generation", "state", "attempt", "reason", "asked_ms"),
    "due_ms",
)
UPDATE = Update(wakes, "id")
UPDATE_AGENT = Update(participants, "id")
DEADLINES = Deadlines(wakes, FULL.where(wakes.c.closed_ms.is_(None)))
due, first_due = DEADLINES.due, DEADLINES.first_due


def find(conn: sa.Connection, wake_id: str) -> Row | None:
    return FIND.first(conn, wake_id=wake_id)


def with_ids(conn: sa.Connection, ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
    return conn.execute(FULL.where(wakes.c.id.in_(ids))).all()


def open_of(conn: sa.Connection, participant_id: int) -> Row | None:
    return OPEN_OF.first(conn, whose=participant_id)


def all_open(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    return conn.execute(FULL.where(wakes.c.closed_ms.is_(None))).all()


def open_of_node(conn: sa.Connection, node_id: int) -> Sequence[sa.Row[Any]]:
    """List a node's open wakes that have been asked for (not those that still pause)."""
    query = FULL.where(
        wakes.c.node_id == node_id, wakes.c.closed_ms.is_(None), wakes.c.state != "paused"
    )
    return conn.execute(query.order_by(wakes.c.asked_ms)).all()


def recent(
    conn: sa.Connection, participant_ids: Sequence[int], limit: int, *, only_open: bool
) -> Sequence[sa.Row[Any]]:
    query = FULL.where(wakes.c.participant_id.in_(participant_ids))
    if only_open:
        query = query.where(wakes.c.closed_ms.is_(None))
    return conn.execute(query.order_by(wakes.c.asked_ms.desc()).limit(limit)).all()


def stopped(conn: sa.Connection, participant_ids: Sequence[int]) -> Sequence[sa.Row[Any]]:
    """List the open wakes that the guard keeps from being asked."""
    query = FULL.where(
        wakes.c.participant_id.in_(participant_ids),
        wakes.c.closed_ms.is_(None),
        wakes.c.state == "paused",
        wakes.c.reason.startswith(MARK),
    )
    return conn.execute(query.order_by(wakes.c.asked_ms)).all()


def insert_wake(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT.run(conn, values)


def update(conn: sa.Connection, wake_id: str, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, wake_id, values)


def agent(conn: sa.Connection, participant_id: int) -> Row:
    return AGENT.rows(conn, whose=participant_id)[0]


def count_begun(
    conn: sa.Connection, participant_id: int, since_ms: int, most: int
) -> tuple[int, int]:
    """Count the wakes since a time of which a turn came, `most` at most; gives the first's time."""
    row = COUNT_BEGUN.rows(conn, whose=participant_id, since_ms=since_ms, most=most)[0]
    return int(row.number), int(row.first_ms or 0)


def count_all_begun(conn: sa.Connection, ids: Sequence[int], since_ms: int) -> dict[int, int]:
    """Count for some agents the wakes since a time of which a turn came; none of who had none."""
    mine = sa.and_(wakes.c.participant_id.in_(ids), wakes.c.admitted_ms > since_ms)
    query = sa.select(wakes.c.participant_id, sa.func.count().label("number")).where(mine)
    rows = conn.execute(query.group_by(wakes.c.participant_id))
    return {row.participant_id: row.number for row in rows}


def next_generation(conn: sa.Connection, participant_id: int) -> int:
    return int(NEXT_GENERATION.scalar(conn, whose=participant_id))


def set_failures(conn: sa.Connection, participant_id: int, failures: int) -> None:
    UPDATE_AGENT.run(conn, participant_id, {"wake_failures": failures})


def set_woken(conn: sa.Connection, participant_id: int, now_ms: int) -> None:
    UPDATE_AGENT.run(conn, participant_id, {"last_woken_ms": now_ms})


def speeds_ms(conn: sa.Connection, ids: Sequence[int], limit: int) -> dict[int, list[int]]:
    """List for each how long its last wakes took from asked to read."""
    last = (
        sa.select((wakes.c.read_ms - wakes.c.asked_ms).label("took_ms"))
        .where(wakes.c.participant_id == participants.c.id, wakes.c.read_ms >= wakes.c.received_ms)
        .order_by(wakes.c.generation.desc())
        .limit(limit)
        .correlate(participants)
        .subquery()
    )
    as_words = sa.func.aggregate_strings(sa.cast(last.c.took_ms, sa.Text), " ")
    took = sa.select(as_words).select_from(last).scalar_subquery()
    query = sa.select(participants.c.id, took.label("took_ms")).where(participants.c.id.in_(ids))
    rows = conn.execute(query)
    return {row.id: [int(one) for one in (row.took_ms or "").split()] for row in rows}


def last_closed(conn: sa.Connection, participant_id: int) -> Row | None:
    """Read the wake that was closed last."""
    return LAST_CLOSED.first(conn, whose=participant_id)


def spare(conn: sa.Connection, states: Sequence[str], until_ms: int) -> None:
    """Look at wakes in some states no earlier than at a time."""
    taken = sa.and_(wakes.c.state.in_(states), wakes.c.due_ms < until_ms)
    conn.execute(wakes.update().where(taken, wakes.c.closed_ms.is_(None)).values(due_ms=until_ms))


def hasten(conn: sa.Connection, states: Sequence[str], beyond_ms: int, by_ms: int) -> None:
    """Look by a time at those wakes in some states that would wait beyond another."""
    far = sa.and_(wakes.c.state.in_(states), wakes.c.due_ms > beyond_ms)
    conn.execute(wakes.update().where(far, wakes.c.closed_ms.is_(None)).values(due_ms=by_ms))


def prune(conn: sa.Connection, before_ms: int, limit: int) -> int:
    old = sa.select(wakes.c.id).where(wakes.c.closed_ms < before_ms).limit(limit)
    return conn.execute(wakes.delete().where(wakes.c.id.in_(old))).rowcount
