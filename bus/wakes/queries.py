"""Every statement of the wake ledger, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.schema import nodes, participants, wakes

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def find(conn: sa.Connection, wake_id: str) -> sa.Row[Any] | None:
    return conn.execute(FULL.where(wakes.c.id == wake_id)).first()


def open_of(conn: sa.Connection, participant_id: int) -> sa.Row[Any] | None:
    query = FULL.where(wakes.c.participant_id == participant_id, wakes.c.closed_ms.is_(None))
    return conn.execute(query).first()


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


def insert(conn: sa.Connection, values: dict[str, Any]) -> None:
    conn.execute(wakes.insert(), values)


def update(conn: sa.Connection, wake_id: str, values: dict[str, Any]) -> None:
    conn.execute(wakes.update().where(wakes.c.id == wake_id), values)


def due(conn: sa.Connection, now_ms: int, limit: int) -> Sequence[sa.Row[Any]]:
    query = FULL.where(wakes.c.due_ms <= now_ms, wakes.c.closed_ms.is_(None))
    return conn.execute(query.order_by(wakes.c.due_ms).limit(limit)).all()


def first_due(conn: sa.Connection) -> int | None:
    query = sa.select(sa.func.min(wakes.c.due_ms)).where(wakes.c.due_ms.is_not(None))
    return conn.execute(query).scalar()


def agent(conn: sa.Connection, participant_id: int) -> sa.Row[Any]:
    return conn.execute(sa.select(participants).where(participants.c.id == participant_id)).one()


def next_generation(conn: sa.Connection, participant_id: int) -> int:
    query = (
        participants.update()
        .where(participants.c.id == participant_id)
        .values(generation=participants.c.generation + 1)
        .returning(participants.c.generation)
    )
    return int(conn.execute(query).scalar_one())


def set_failures(conn: sa.Connection, participant_id: int, failures: int) -> None:
    conn.execute(
        participants.update()
        .where(participants.c.id == participant_id)
        .values(wake_failures=failures)
    )


def set_woken(conn: sa.Connection, participant_id: int, now_ms: int) -> None:
    conn.execute(
        participants.update()
        .where(participants.c.id == participant_id)
        .values(last_woken_ms=now_ms)
    )


def speeds_ms(conn: sa.Connection, participant_id: int, limit: int) -> list[int]:
    """List how long the last wakes took from asked to read."""
    query = (
        sa.select(wakes.c.read_ms - wakes.c.asked_ms)
        .where(wakes.c.participant_id == participant_id, wakes.c.read_ms >= wakes.c.received_ms)
        .order_by(wakes.c.generation.desc())
    )
    return list(conn.execute(query.limit(limit)).scalars())


def last_closed(conn: sa.Connection, participant_id: int) -> sa.Row[Any] | None:
    """Read the wake that was closed last."""
    query = FULL.where(wakes.c.participant_id == participant_id, wakes.c.closed_ms.is_not(None))
    return conn.execute(query.order_by(wakes.c.generation.desc()).limit(1)).first()


def spare(conn: sa.Connection, states: Sequence[str], until_ms: int) -> None:
    """Look at wakes in some states no earlier than at a time."""
    taken = sa.and_(wakes.c.state.in_(states), wakes.c.due_ms < until_ms)
    conn.execute(wakes.update().where(taken, wakes.c.closed_ms.is_(None)).values(due_ms=until_ms))


def prune(conn: sa.Connection, before_ms: int, limit: int) -> int:
    old = sa.select(wakes.c.id).where(wakes.c.closed_ms < before_ms).limit(limit)
    return conn.execute(wakes.delete().where(wakes.c.id.in_(old))).rowcount
