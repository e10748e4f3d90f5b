"""What every send and read asks stays as quick with a year of settled mail as on the first day."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bus.mail import queries

HOT = [
    (queries.count_open, (1,)),
    (queries.count_readable, (1,)),
    (queries.count_waiting, (1,)),
    (queries.leased, (1,)),
    (queries.readable, (1, 20)),
]


@pytest.mark.parametrize(("query", "given"), HOT, ids=lambda one: getattr(one, "__name__", ""))
def test_a_hot_query_visits_open_mail_only(house, query, given):
    asked = []
    with house.store.read() as conn:

        @sa.event.listens_for(conn, "before_cursor_execute")
        def note(_conn, _cursor, statement, parameters, *_more):
            asked.append((statement, parameters))

        query(conn, *given)
        statement, parameters = asked[-1]
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    (plan,) = [row.detail for row in rows if "deliveries" in row.detail]
    assert "ended_ms=?" in plan or "ix_deliveries_open" in plan, plan
