"""What turns cost: its statements, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.schema import costs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUMS = tuple(
    sa.func.sum(costs.c[name]).label(name)
    for name in ("turns", "tokens_in", "tokens_out", "cost_usd")
)
GROUPS: Mapping[str, sa.Column[Any]] = {
    "agent": costs.c.participant_id,
    "thread": costs.c.thread,
    "day": costs.c.day,
}


def add(conn: sa.Connection, key: Mapping[str, Any], values: Mapping[str, float]) -> None:
    """Add to what a day has of an agent and a thread."""
    mine = sa.and_(*(costs.c[name] == value for name, value in key.items()))
    more = {name: costs.c[name] + value for name, value in values.items()}
    if not conn.execute(costs.update().where(mine).values(more)).rowcount:
        conn.execute(costs.insert().values({**key, **values}))


def sums(  # noqa: PLR0913, PLR0917 - what narrows a list
    conn: sa.Connection,
    by: str,
    ids: Sequence[int],
    since: str,
    until: str,
    thread: str | None,
    limit: int,
) -> Sequence[Any]:
    """Sum by agent, thread or day; the dearest first, days the newest first."""
    group = GROUPS[by]
    query = sa.select(group.label("what"), *SUMS).where(among(ids, since, until, thread))
    order = [group.desc()] if by == "day" else [SUMS[3].desc(), SUMS[2].desc(), group]
    return conn.execute(query.group_by(group).order_by(*order).limit(limit)).all()


def total(
    conn: sa.Connection, ids: Sequence[int], since: str, until: str, thread: str | None
) -> Any:
    """Sum all of it."""
    return conn.execute(sa.select(*SUMS).where(among(ids, since, until, thread))).one()


def among(ids: Sequence[int], since: str, until: str, thread: str | None) -> sa.ColumnElement[bool]:
    days = sa.and_(costs.c.day >= since, costs.c.day <= until)
    mine = sa.and_(days, costs.c.participant_id.in_(ids))
    return mine if thread is None else sa.and_(mine, costs.c.thread == thread)


def forget(conn: sa.Connection, before: str) -> None:
    """Remove the days before one."""
    conn.execute(costs.delete().where(costs.c.day < before))
