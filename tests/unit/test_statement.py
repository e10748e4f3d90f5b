"""Statements that are compiled once do what SQLAlchemy would have done."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bus.store.schema import metadata, nodes
from bus.store.statement import Statement, Update, bind, insert

ADD = insert(nodes, "name", "created_ms", returning="id")
NAMED = Statement(sa.select(nodes.c.id, nodes.c.name, nodes.c.url).where(nodes.c.name == bind("n")))


@pytest.fixture
def conn():
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def test_a_row_has_its_columns_by_name(conn):
    number = ADD.scalar(conn, name="attic", created_ms=1)
    row = NAMED.first(conn, n="attic")
    assert row._asdict() == {"id": number, "name": "attic", "url": ""}
    assert NAMED.first(conn, n="cellar") is None


def test_fixed_values_and_given_ones_keep_their_places(conn):
    for name in ("a", "b", "c"):
        ADD.scalar(conn, name=name, created_ms=1)
    some = Statement(
        sa.select(nodes.c.name)
        .where(nodes.c.name.in_(("a", "c")), nodes.c.id > bind("after"))
        .order_by(nodes.c.id)
        .limit(bind("most"))
    )
    assert [row.name for row in some.rows(conn, most=5, after=0)] == ["a", "c"]
    assert [row.name for row in some.rows(conn, most=5, after=1)] == ["c"]


def test_an_update_sets_what_it_is_given_and_nothing_else(conn):
    number = ADD.scalar(conn, name="attic", created_ms=1)
    change = Update(nodes, "id")
    change.run(conn, number, {"url": "http://one"})
    change.run(conn, number, {"seen_ms": 7})
    row = conn.execute(sa.select(nodes)).one()
    assert (row.name, row.url, row.seen_ms) == ("attic", "http://one", 7)


def test_many_rows_go_in_together(conn):
    insert(nodes, "name", "created_ms").run_each(
        conn, [{"name": name, "created_ms": 1} for name in ("a", "b")]
    )
    assert conn.execute(sa.select(sa.func.count()).select_from(nodes)).scalar() == 2


def test_an_error_of_the_driver_tells_no_values(conn):
    ADD.scalar(conn, name="a-private-word", created_ms=1)
    with pytest.raises(sa.exc.IntegrityError) as caught:
        ADD.scalar(conn, name="a-private-word", created_ms=1)
    assert "a-private-word" not in str(caught.value)
