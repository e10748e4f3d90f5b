"""What every send and read asks stays as quick with a year of settled mail as on the first day."""

from __future__ import annotations

import pytest

from bus.mail import inbox_queries, keeping_queries, queries, waking_queries

pytestmark = pytest.mark.sqlite_only("the words of its plans")

HOT = {
    inbox_queries.COUNT_INBOX: {"recipient_id": 1},
    inbox_queries.IS_READABLE: {"recipient_id": 1},
    waking_queries.COUNT_WAITING: {"recipient_id": 1},
    waking_queries.IS_WAITING: {"recipient_id": 1},
    waking_queries.ASKED_FOR: {"recipient_id": 1, "wake_id": "w"},
    waking_queries.NOT_ASKED_FOR: {"recipient_id": 1, "wake_id": "w"},
    inbox_queries.READ_INBOX: {"recipient_id": 1, "most": 20},
    inbox_queries.LEASED: {"recipient_id": 1},
}
OPEN_ONLY = ("ix_deliveries_open", "ix_deliveries_leased")


@pytest.mark.parametrize(
    "statement",
    HOT,
    ids=("room", "readable", "waiting", "any", "asked", "not asked", "inbox", "leased"),
)
def test_a_hot_query_visits_open_mail_only(house, statement):
    with house.store.read() as conn:
        text, values = statement.written(conn, HOT[statement])
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values)).all()
    (plan,) = [row.detail for row in rows if "deliveries" in row.detail]
    assert any(index in plan for index in OPEN_ONLY), plan


def test_what_somebody_has_just_settled_is_found_among_what_has_ended(house):
    with house.store.read() as conn:
        given = {"recipient_id": 1, "since_ms": 1, "most": 9}
        text, values = inbox_queries.SETTLED.written(conn, given)
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values)).all()
    plan = next(row.detail for row in rows if "deliveries" in row.detail)
    assert "ix_deliveries_recipient (recipient_id=? AND ended_ms>?)" in plan, plan


def test_a_brief_looks_at_what_was_sent_since_and_at_nothing_older(house):
    with house.store.read() as conn:
        text, values = queries.SENT_SINCE.written(conn, {"first": "m_0", "most": 9})
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values)).all()
    plan = [row.detail for row in rows]
    assert "id>?)" in plan[0]  # of the messages or of their deliveries, by the time in an id
    assert not any("SCAN" in one or "TEMP B-TREE" in one for one in plan), plan


def test_what_quiet_hours_hold_is_found_among_what_has_not_ended(house):
    with house.store.read() as conn:
        text, values = keeping_queries.HELD_QUIET.written(conn, {"recipient_id": 1, "most": 9})
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values)).all()
    (plan,) = [row.detail for row in rows if "deliveries" in row.detail]
    assert "ix_deliveries_open" in plan or "ix_deliveries_quiet" in plan, plan
