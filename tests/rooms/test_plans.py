"""What every send and read asks stays as quick with a year of settled mail as on the first day."""

from __future__ import annotations

import pytest

from bus.mail import queries

HOT = {
    queries.COUNT_INBOX: {"recipient_id": 1},
    queries.COUNT_WAITING: {"recipient_id": 1},
    queries.READ_INBOX: {"recipient_id": 1, "most": 20},
    queries.LEASED: {"recipient_id": 1},
}
OPEN_ONLY = ("ix_deliveries_open", "ix_deliveries_leased")


@pytest.mark.parametrize("statement", HOT, ids=("room", "waiting", "inbox", "leased"))
def test_a_hot_query_visits_open_mail_only(house, statement):
    with house.store.read() as conn:
        text, values = statement.written(conn, HOT[statement])
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values)).all()
    (plan,) = [row.detail for row in rows if "deliveries" in row.detail]
    assert "ended_ms=?" in plan or any(index in plan for index in OPEN_ONLY), plan
