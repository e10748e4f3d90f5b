"""Every statement of runs, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.deadlines import Deadlines
from bus.store.schema import nodes, participants, run_groups, run_ladder, run_texts, runs
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bus.store.statement import Row

parent = participants.alias("parent")
worker = participants.alias("worker")
FULL = sa.select(
    runs,
    parent.c.name.label("parent"),
    parent.c.kind.label("parent_kind"),
    worker.c.name.label("worker"),
    worker.c.local_agent,
    nodes.c.name.label("node"),
).select_from(
    runs.join(parent, parent.c.id == runs.c.parent_id)
    .join(worker, worker.c.id == runs.c.worker_id)
    .outerjoin(nodes, nodes.c.id == worker.c.node_id)
)
"""A run with the names that it has now: the row that the whole room works on."""
ANY_PLACE = 2**62
"""Behind every run's place."""

INSERT = insert(
    runs,
    *("id", "group_id", "parent_id", "worker_id", "depth", "thread", "hops", "path", "label"),
    *("limit_s", "cleanup", "output", "model", "verify", "task_id", "notify", "state", "waits"),
    "session_id",
    *("created_ms", "deadline_ms", "due_ms"),
    returning="place",
)
INSERT_TEXTS = insert(run_texts, "place", "task")
INSERT_RUNG = insert(run_ladder)
INSERT_GROUP = insert(run_groups, "id", "parent_id", "report", "open")
UPDATE, UPDATE_TEXTS = Update(runs, "place"), Update(run_texts, "place")
UPDATE_GROUP = Update(run_groups, "id")


def insert_run(conn: sa.Connection, values: Mapping[str, Any], task: str) -> int:
    place = int(INSERT.scalar(conn, **values))
    INSERT_TEXTS.run(conn, {"place": place, "task": task})
    return place


def insert_rung(conn: sa.Connection, rung: Mapping[str, Any]) -> None:
    INSERT_RUNG.run(conn, rung)


def update(conn: sa.Connection, place: int, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, place, values)


def update_texts(conn: sa.Connection, place: int, values: Mapping[str, Any]) -> None:
    UPDATE_TEXTS.run(conn, place, values)


def insert_group(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_GROUP.run(conn, values)


def update_group(conn: sa.Connection, group_id: str, values: Mapping[str, Any]) -> None:
    UPDATE_GROUP.run(conn, group_id, values)


FIND = Statement(FULL.where(runs.c.id == bind("run_id")))
AT = Statement(FULL.where(runs.c.place == bind("at")))
TEXTS = Statement(sa.select(run_texts).where(run_texts.c.place == bind("at")))
GROUP = Statement(sa.select(run_groups).where(run_groups.c.id == bind("group_id")))
OF_GROUP = Statement(FULL.where(runs.c.group_id == bind("group_id")).order_by(runs.c.place))
RUNGS = Statement(
    sa.select(run_ladder).where(run_ladder.c.place == bind("at")).order_by(run_ladder.c.id)
)


def find(conn: sa.Connection, run_id: str) -> Row | None:
    return FIND.first(conn, run_id=run_id)


def at(conn: sa.Connection, place: int) -> Row:
    return AT.rows(conn, at=place)[0]


def texts(conn: sa.Connection, place: int) -> Row:
    return TEXTS.rows(conn, at=place)[0]


def group(conn: sa.Connection, group_id: str) -> Row | None:
    return GROUP.first(conn, group_id=group_id)


def of_group(conn: sa.Connection, group_id: str) -> Sequence[Row]:
    return OF_GROUP.rows(conn, group_id=group_id)


def rungs(conn: sa.Connection, place: int) -> Sequence[Row]:
    return RUNGS.rows(conn, at=place)


def with_ids(conn: sa.Connection, ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
    return conn.execute(FULL.where(runs.c.id.in_(ids))).all()


BEGUN_BY = Statement(
    FULL.where(
        runs.c.parent_id == bind("whose"),
        runs.c.place > bind("after"),
        runs.c.created_ms >= bind("from_ms"),
        runs.c.created_ms <= bind("until_ms"),
    )
    .order_by(runs.c.place)
    .limit(bind("most"))
)


def begun_by(
    conn: sa.Connection, run: Row, from_ms: int, until_ms: int, limit: int
) -> Sequence[Row]:
    """Read what a run's worker dispatched itself in a stretch of time behind that run."""
    values = {"whose": run.worker_id, "after": run.place, "most": limit}
    return BEGUN_BY.rows(conn, **values, from_ms=from_ms, until_ms=until_ms)


IS_OPEN = runs.c.ended_ms.is_(None)
ITS_OWN = runs.c.worker_id == bind("whose")
IS_TAKEN = sa.and_(sa.literal_column("runs.waits = 0"), IS_OPEN)
"""What has its place at a worker: on its node's stream, or claimed.

Written out: a bound value would keep SQLite from the index of what is taken.
"""
TAKEN_OF = Statement(FULL.where(ITS_OWN, IS_TAKEN).order_by(runs.c.place))
WAITING_OF = Statement(
    FULL.where(ITS_OWN, sa.literal_column("runs.waits = 1"))
    .order_by(runs.c.place)
    .limit(bind("most"))
)
CHILDREN = sa.and_(runs.c.parent_id == bind("whose"), IS_OPEN)
COUNT_CHILDREN = Statement(sa.select(sa.func.count()).select_from(runs).where(CHILDREN))
CHILDREN_OF = Statement(FULL.where(CHILDREN).order_by(runs.c.place))
DEEPEST = Statement(
    sa.select(sa.func.max(runs.c.depth)).where(ITS_OWN, IS_TAKEN, runs.c.claimed_ms.is_not(None))
)
WRITES_TO = Statement(
    sa.select(runs.c.id).where(ITS_OWN, IS_OPEN, runs.c.output == bind("path")).limit(1)
)


def taken_of(conn: sa.Connection, worker_id: int) -> Sequence[Row]:
    return TAKEN_OF.rows(conn, whose=worker_id)


def waiting_of(conn: sa.Connection, worker_id: int, limit: int) -> Sequence[Row]:
    """Read the runs that have no place yet, in their order."""
    return WAITING_OF.rows(conn, whose=worker_id, most=limit)


def count_children(conn: sa.Connection, parent_id: int) -> int:
    return int(COUNT_CHILDREN.scalar(conn, whose=parent_id))


def children_of(conn: sa.Connection, parent_id: int) -> Sequence[Row]:
    """Read the open runs of a parent."""
    return CHILDREN_OF.rows(conn, whose=parent_id)


def deepest(conn: sa.Connection, worker_id: int) -> int:
    """Give how deep the runs are that a worker is at work on; 0 where there is none."""
    return int(DEEPEST.scalar(conn, whose=worker_id) or 0)


def writes_to(conn: sa.Connection, worker_id: int, path: str) -> str | None:
    """Name an open run of a worker that writes to a file, if there is one."""
    run_id: str | None = WRITES_TO.scalar(conn, whose=worker_id, path=path)
    return run_id


OPEN_IN_SESSION = Statement(
    FULL.where(runs.c.session_id == bind("session_id"), IS_OPEN).order_by(runs.c.place)
)
WORKS_IN = Statement(
    sa.select(runs.c.id)
    .where(ITS_OWN, IS_TAKEN, runs.c.claimed_ms.is_not(None))
    .where(runs.c.session_id == bind("session_id"))
    .limit(1)
)


def open_in_session(conn: sa.Connection, session_id: str) -> Sequence[Row]:
    """Read the open runs that belong to a session."""
    return OPEN_IN_SESSION.rows(conn, session_id=session_id)


def is_at_work_in(conn: sa.Connection, worker_id: int, session_id: str) -> bool:
    """Say whether a worker does a run that belongs to a session."""
    return WORKS_IN.scalar(conn, whose=worker_id, session_id=session_id) is not None


OPEN_OF_WORKER = Statement(FULL.where(ITS_OWN, IS_OPEN).order_by(runs.c.place))


def open_of_worker(conn: sa.Connection, worker_id: int) -> Sequence[Row]:
    """Read the open runs of a worker."""
    return OPEN_OF_WORKER.rows(conn, whose=worker_id)


OF_NODE = Statement(
    FULL.where(worker.c.node_id == bind("node_id"), IS_TAKEN).order_by(runs.c.place)
)


def of_node(conn: sa.Connection, node_id: int) -> Sequence[Row]:
    """Read the runs of a node's workers that it may claim, or has."""
    return OF_NODE.rows(conn, node_id=node_id)


ALL, OF_PARENT, OF_WORKER = "", "parent_id", "worker_id"
WHICH: dict[str, list[sa.ColumnElement[bool]]] = {
    "all": [],
    "open": [runs.c.due_ms.is_not(None), runs.c.ended_ms.is_(None)],
    "state": [runs.c.state == bind("state")],
}
"""Of the two that say open, one fits the index of a parent, the other that of all."""


def page_statement(column: str, which: str) -> Statement:
    """Make the statement of a page: of a parent, of a worker or of all, newest first."""
    mine = [runs.c[column] == bind("whose")] if column else []
    # The few that are open are sorted: in the order of all runs one would look through them all.
    few = column == ALL and which == "open"
    place: sa.ColumnElement[int] = sa.literal_column("+runs.place") if few else runs.c.place
    found = FULL.where(*mine, *WHICH[which], place < bind("before"))
    return Statement(found.order_by(place.desc()).limit(bind("most")))


PAGES = {
    (column, which): page_statement(column, which)
    for column in (ALL, OF_PARENT, OF_WORKER)
    for which in WHICH
}


def newest(
    conn: sa.Connection, source: tuple[str, int], before: int, state: str, page: int
) -> Iterator[Row]:
    """Read a parent's runs, a worker's or all, newest first, page by page as they are wanted.

    `source` is a column and whose; `state` is `open`, `all` or one state.
    """
    column, whose = source
    statement = PAGES[column, state if state in WHICH else "state"]
    while True:
        rows = statement.rows(conn, whose=whose, before=before, state=state, most=page)
        yield from rows
        if len(rows) < page:
            return
        before = rows[-1].place


DEADLINES = Deadlines(runs, FULL)
due, first_due = DEADLINES.due, DEADLINES.first_due


ENDED_SINCE = Statement(
    FULL.where(runs.c.ended_ms >= bind("since_ms"))
    .order_by(runs.c.ended_ms.desc())
    .limit(bind("most"))
)


def ended_since(conn: sa.Connection, since_ms: int, limit: int) -> Sequence[Row]:
    """Read the runs that ended since a time, the last first."""
    return ENDED_SINCE.rows(conn, since_ms=since_ms, most=limit)


ALL_OPEN = Statement(FULL.where(runs.c.due_ms.is_not(None)).order_by(runs.c.place))


def all_open(conn: sa.Connection) -> Sequence[Row]:
    return ALL_OPEN.rows(conn)


def count_open(conn: sa.Connection) -> dict[str, int]:
    """Count the open runs by state."""
    query = sa.select(runs.c.state, sa.func.count().label("many")).where(runs.c.due_ms.is_not(None))
    return {row.state: row.many for row in conn.execute(query.group_by(runs.c.state))}


def spare(conn: sa.Connection, until_ms: int) -> None:
    """Let no open run run out before a time."""
    is_open = runs.c.due_ms.is_not(None)
    for column in ("lease_until_ms", "deadline_ms"):
        early = sa.and_(is_open, runs.c[column] < until_ms)
        conn.execute(runs.update().where(early).values({column: until_ms}))
    early = sa.and_(is_open, runs.c.due_ms < until_ms, runs.c.claimed_ms.is_not(None))
    conn.execute(runs.update().where(early).values(due_ms=until_ms))


def hasten(conn: sa.Connection, column: str, by_ms: int) -> None:
    """Have a time of open runs be no later than another; none of them is set so far off."""
    far = sa.and_(runs.c.due_ms.is_not(None), runs.c[column] > by_ms)
    conn.execute(runs.update().where(far).values({column: by_ms}))


def prune(conn: sa.Connection, before_ms: int, limit: int) -> int:
    """Remove runs that ended before a time, and the groups of which none is kept."""
    query = sa.select(runs.c.place, runs.c.group_id).where(runs.c.ended_ms < before_ms)
    old = conn.execute(query.order_by(runs.c.ended_ms).limit(limit)).all()
    places, groups = [row.place for row in old], {row.group_id for row in old} - {None}
    for table in (run_ladder, run_texts, runs):
        conn.execute(table.delete().where(table.c.place.in_(places)))
    kept = sa.select(runs.c.place).where(runs.c.group_id == run_groups.c.id)
    conn.execute(run_groups.delete().where(run_groups.c.id.in_(groups), ~kept.exists()))
    return len(old)


def renumber_claims(conn: sa.Connection, first: int) -> None:
    """Have the claims to come be numbered from `first` on."""
    conn.execute(runs.update().where(runs.c.due_ms.is_not(None)).values(claim=first))
