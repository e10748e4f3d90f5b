"""Every statement of the board, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.board.model import ADDED, BLOCKED, IN_PROGRESS, MOVED, PARTIES
from bus.store.schema import participants, task_history, tasks
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.store.statement import Row

creator, blocker, writer = (participants.alias(name) for name in ("creator", "blocker", "writer"))
party = {name: participants.alias(name) for name in PARTIES}
joined: Any = tasks.join(creator, creator.c.id == tasks.c.creator_id).outerjoin(
    blocker, blocker.c.id == tasks.c.blocker_id
)
for name in PARTIES:
    joined = joined.outerjoin(party[name], party[name].c.id == tasks.c[f"{name}_id"])
FULL = sa.select(
    tasks,
    creator.c.name.label("creator"),
    blocker.c.name.label("blocker"),
    *(party[name].c.name.label(name) for name in PARTIES),
    party["holder"].c.removed_ms.label("holder_gone_ms"),
).select_from(joined)
"""A task with the names that are on it now: the row that the whole room works on."""

INSERT, INSERT_HISTORY = insert(tasks), insert(task_history)
UPDATE = Update(tasks, "id")
FIND = Statement(FULL.where(tasks.c.id == bind("task_id")))


def insert_task(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT.run(conn, values)


def insert_history(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_HISTORY.run(conn, values)


def update(conn: sa.Connection, task_id: str, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, task_id, values)


def find(conn: sa.Connection, task_id: str) -> Row | None:
    return FIND.first(conn, task_id=task_id)


HISTORY = Statement(
    sa.select(task_history, writer.c.name.label("by"))
    .select_from(task_history.outerjoin(writer, writer.c.id == task_history.c.by_id))
    .where(task_history.c.task_id == bind("task_id"))
    .order_by(task_history.c.id.desc())
    .limit(bind("most"))
)
COUNT_HISTORY = Statement(
    sa.select(sa.func.count()).where(task_history.c.task_id == bind("task_id"))
)
LAST_MOVE = Statement(
    sa.select(task_history.c.kind, task_history.c.by_id)
    .where(
        task_history.c.task_id == bind("task_id"),
        sa.or_(task_history.c.kind == MOVED, task_history.c.kind == ADDED),
    )
    .order_by(task_history.c.id.desc())
    .limit(1)
)


def history(conn: sa.Connection, task_id: str, limit: int) -> Sequence[Row]:
    """Read the last rows of a task's history, newest first."""
    return HISTORY.rows(conn, task_id=task_id, most=limit)


def count_history(conn: sa.Connection, task_id: str) -> int:
    return int(COUNT_HISTORY.scalar(conn, task_id=task_id))


def last_move(conn: sa.Connection, task_id: str) -> Row:
    """Give by whom a task came to where it is."""
    return LAST_MOVE.rows(conn, task_id=task_id)[0]


LINKS = {
    name: Statement(
        sa.select(task_history.c[name])
        .where(task_history.c.task_id == bind("task_id"), task_history.c[name].is_not(None))
        .group_by(task_history.c[name])
        .order_by(sa.func.min(task_history.c.id))
    )
    for name in ("run_id", "message_id")
}


def links(conn: sa.Connection, task_id: str, name: str) -> list[str]:
    """List the runs, or the messages, that belong to a task, in their order."""
    return [row[0] for row in LINKS[name].rows(conn, task_id=task_id)]


def last_of_each(condition: Any) -> sa.Select[Any]:
    """Make the statement of the last row that fulfils a condition, for each of some tasks."""
    those = sa.select(sa.func.max(task_history.c.id)).where(
        task_history.c.task_id.in_(sa.bindparam("ids", expanding=True)), condition
    )
    return (
        sa.select(task_history, writer.c.name.label("by"))
        .select_from(task_history.outerjoin(writer, writer.c.id == task_history.c.by_id))
        .where(task_history.c.id.in_(those.group_by(task_history.c.task_id)))
    )


LAST_RUNS = last_of_each(task_history.c.run_id.is_not(None))
LAST_BLOCKS = last_of_each(sa.and_(task_history.c.kind == MOVED, task_history.c.status == BLOCKED))


def last_runs(conn: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Give for each of some tasks the run that was heard of last."""
    return {row.task_id: row.run_id for row in conn.execute(LAST_RUNS, {"ids": ids})}


def last_blocks(conn: sa.Connection, ids: Sequence[str]) -> dict[str, Row]:
    """Give for each of some tasks the row by which it was blocked last."""
    return {row.task_id: row for row in conn.execute(LAST_BLOCKS, {"ids": ids})}


def page_statement(whose: str, *, is_stale: bool, oldest_first: bool) -> Statement:
    """Make the statement of a page: each part of it is a place in one index, and its order."""
    narrow = [tasks.c[f"{whose}_id"] == bind("whose")] if whose else []
    if is_stale:
        narrow.append(tasks.c.refreshed_ms < bind("before_ms"))
    beyond = tasks.c.id > bind("after") if oldest_first else tasks.c.id < bind("after")
    return Statement(
        sa.select(tasks.c.id)
        .where(
            tasks.c.compartment == bind("compartment"),
            tasks.c.status == bind("status"),
            *narrow,
            beyond,
        )
        .order_by(tasks.c.id.asc() if oldest_first else tasks.c.id.desc())
        .limit(bind("most"))
    )


PAGES = {
    (whose, is_stale, oldest_first): page_statement(
        whose, is_stale=is_stale, oldest_first=oldest_first
    )
    for whose in ("", *PARTIES)
    for is_stale in (False, True)
    for oldest_first in (False, True)
}
NEXT_COMPARTMENT = Statement(
    sa.select(sa.func.min(tasks.c.compartment)).where(tasks.c.compartment > bind("after"))
)


def page(conn: sa.Connection, which: tuple[str, bool, bool], **values: Any) -> list[str]:
    """List ids of one compartment and status, in order, behind a place."""
    return [row[0] for row in PAGES[which].rows(conn, **values)]


def all_compartments(conn: sa.Connection) -> list[str]:
    """List the compartments that have tasks, by as many looks into the index."""
    found, after = [], ""
    while (after := NEXT_COMPARTMENT.scalar(conn, after=after)) is not None:
        found.append(after)
    return found


def with_ids(conn: sa.Connection, ids: Sequence[str]) -> dict[str, Row]:
    rows = conn.execute(FULL.where(tasks.c.id.in_(ids))).all()
    return {row.id: row for row in rows}


def held_by(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    """Read what somebody is at work on, blocked or not."""
    mine = tasks.c.holder_id == participant_id
    return conn.execute(FULL.where(mine, tasks.c.status.in_((IN_PROGRESS, BLOCKED)))).all()
