"""A page of the board reads what it shows and not the board: its place is in one index."""

from __future__ import annotations

import pytest

from bus.board import queries

pytestmark = pytest.mark.sqlite_only("the words of its plans")

VALUES = {
    "compartment": "open",
    "status": "done",
    "whose": 1,
    "after": "d",
    "before_ms": 1,
    "most": 51,
}


def plan_of(house, statement, **values):
    with house.store.read() as conn:
        text, given = statement.written(conn, values)
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(given)).all()
    return " ".join(row.detail for row in rows)


@pytest.mark.parametrize("how", queries.PAGES, ids=str)
def test_a_page_is_a_place_in_an_index_and_needs_no_sorting(house, how):
    plan = plan_of(house, queries.PAGES[how], **VALUES)
    index = f"ix_tasks_{how[0] or 'status'}"
    assert f"{index} (" in plan, plan
    assert "id" in plan.partition(index)[2]
    assert "compartment=? AND status=?" in plan
    assert "TEMP B-TREE" not in plan


def test_what_one_task_has_is_found_by_its_own_index(house):
    for statement in (
        queries.HISTORY,
        queries.COUNT_HISTORY,
        queries.LAST_MOVE,
        *queries.LINKS.values(),
    ):
        assert "ix_task_history_task (task_id=?" in plan_of(house, statement, task_id="c", most=1)


def test_the_compartments_with_tasks_are_looked_up_and_not_counted(house):
    plan = plan_of(house, queries.NEXT_COMPARTMENT, after="")
    assert "SEARCH tasks USING COVERING INDEX ix_tasks_status (compartment>?)" in plan
