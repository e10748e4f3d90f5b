"""What runs ask often stays as quick with a hundred thousand of them as with a hundred."""

from __future__ import annotations

import pytest

from bus.runs import queries

VALUES = {
    "whose": 1,
    "before": queries.ANY_PLACE,
    "most": 50,
    "state": "lost",
    "path": "x",
    "node_id": 1,
    "now_ms": 1,
    "since_ms": 1,
}
HOT = {
    "children": (queries.COUNT_CHILDREN, "ix_runs_children"),
    "taken": (queries.TAKEN_OF, "ix_runs_taken"),
    "waiting": (queries.WAITING_OF, "ix_runs_waiting"),
    "writes to": (queries.WRITES_TO, "ix_runs_output"),
    "deepest": (queries.DEEPEST, "ix_runs_taken"),
    "of node": (queries.OF_NODE, "ix_runs_taken"),
    "due": (queries.DEADLINES.all_due, "ix_runs_due"),
    "next due": (queries.DEADLINES.next_due, "ix_runs_due"),
    "open of parent": (queries.PAGES["parent_id", "open"], "ix_runs_children"),
    "all of parent": (queries.PAGES["parent_id", "all"], "ix_runs_parent"),
    "all of worker": (queries.PAGES["worker_id", "all"], "ix_runs_worker"),
    "all open": (queries.PAGES["", "open"], "ix_runs_due"),
    "all": (queries.PAGES["", "all"], "PRIMARY KEY"),
    "ended since": (queries.ENDED_SINCE, "ix_runs_ended"),
}


@pytest.mark.sqlite_only("the words of its plans")
@pytest.mark.parametrize("name", HOT)
def test_what_is_asked_often_goes_by_its_index_and_sorts_no_long_list(house, name):
    statement, index = HOT[name]
    with house.store.read() as conn:
        text, values = statement.written(conn, VALUES)
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values)).all()
    plan = [row.detail for row in rows]
    (of_runs,) = [step for step in plan if " runs " in f"{step} "]
    assert index in of_runs, plan
    if name not in {"all open", "of node"}:  # of which there are few
        assert not [step for step in plan if "B-TREE" in step], plan
