"""Migration 0010 on a database of 0008 with a held thread, a released one and wakes in it."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa
from alembic import command

from bus.config import Config
from bus.store.migrate import alembic_config, migrate
from bus.store.version import HEAD


@pytest.fixture
def config(tmp_path):
    """Give a database as 0008 left it."""
    config = Config(data_dir=tmp_path)
    engine = sa.create_engine(f"sqlite:///{config.db_path}")
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0008")
    engine.dispose()
    with sqlite3.connect(config.db_path) as conn:
        conn.executescript(
            """
            INSERT INTO participants (id, name, kind, created_ms) VALUES (1, 'ann', 'named', 1);
            INSERT INTO holds (thread, at_ms, reason) VALUES ('t_held', 5, 'guard: enough');
            INSERT INTO holds (thread, at_ms, reason, released_ms, from_hops)
                VALUES ('t_free', 5, 'guard: enough', 6, 17);
            INSERT INTO wakes (id, participant_id, generation, state, asked_ms, admitted_ms)
                VALUES ('w_1', 1, 1, 'admitted', 7, 8);
            """
        )
    conn.close()
    return config


def test_what_was_held_stays_held_and_what_was_let_go_stays_so(config):
    assert migrate(config)[-1] == HEAD
    conn = sqlite3.connect(config.db_path)
    held = conn.execute(
        "SELECT thread, reason, released_ms, from_hops, warned_ms, wakes FROM holds ORDER BY thread"
    ).fetchall()
    assert held == [
        ("t_free", "guard: enough", 6, 17, None, 0),
        ("t_held", "guard: enough", None, 0, None, 0),
    ]
    wakes = conn.execute("SELECT id, tokens_in, tokens_out, cost_usd FROM wakes").fetchall()
    assert wakes == [("w_1", None, None, None)]
    assert conn.execute("SELECT count(*) FROM costs").fetchone() == (0,)
    conn.close()


def test_the_lists_of_the_guard_are_found_by_their_indexes(config):
    migrate(config)
    conn = sqlite3.connect(config.db_path)

    def plan(query):
        return " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {query}"))

    begun = "participant_id = 1 AND admitted_ms > 5"
    assert "ix_wakes_admitted" in plan(f"SELECT admitted_ms FROM wakes WHERE {begun}")
    held = "released_ms IS NULL AND reason <> '' ORDER BY at_ms DESC"
    assert "ix_holds_held" in plan(f"SELECT thread FROM holds WHERE {held}")
    conn.close()
