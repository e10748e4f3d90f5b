"""What is sent to PostgreSQL without waiting: nothing that went wrong with it stays unsaid."""

from __future__ import annotations

import psycopg
import pytest

from bus.clock import ManualClock
from bus.config import Config
from bus.ids import CountingIds
from bus.store.pipeline import Pipelined, Reading
from bus.store.store import Store
from tests.postgres import serving

MANY = 3000
TEXT = "x" * 2000


@pytest.fixture(scope="module")
def cluster():
    with serving() as one:
        yield one


@pytest.fixture(params=[True, False], ids=["prepared", "by a pooler"])
def opened(cluster, request):
    """Give what opens connections to a table of names."""
    cluster.execute("DROP TABLE IF EXISTS names")
    cluster.execute("CREATE TABLE names (name text PRIMARY KEY)")
    cluster.execute("GRANT ALL ON names TO public")
    made = []

    def connect(kind=Pipelined):
        words = cluster.url("postgres").replace("+psycopg", "")
        made.append(kind.connect(words, autocommit=True, prepare_threshold=None))
        made[-1].prepares = request.param
        return made[-1]

    yield connect
    for one in made:
        one.close()


def write(conn, name):
    conn.direct.execute("INSERT INTO names (name) VALUES ($1)", (name,))


def names(conn):
    found = conn.direct.execute("SELECT name FROM names ORDER BY name").fetchall()
    return [name for (name,) in found]


def test_a_write_that_failed_is_told_to_who_reads_next_and_all_of_it_is_undone(opened):
    conn = opened()
    conn.execute("BEGIN")
    for name in ("a", "b", "a", "c"):
        write(conn, name)
    with pytest.raises(psycopg.errors.UniqueViolation):
        names(conn)
    conn.rollback()
    assert names(conn) == []


def test_a_write_that_failed_is_told_by_the_commit_which_commits_nothing(opened):
    conn = opened()
    conn.execute("BEGIN")
    write(conn, "a")
    write(conn, "a")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.commit()
    conn.rollback()
    assert names(conn) == []
    write(conn, "a")  # what was skipped behind the failure was not taken for prepared
    assert names(conn) == ["a"]


def test_a_commit_of_what_had_failed_before_is_not_taken_for_one(opened):
    conn = opened()
    conn.execute("BEGIN")
    write(conn, "a")
    write(conn, "a")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.direct.settle()
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        conn.commit()
    assert names(conn) == []


def test_what_was_written_before_a_savepoint_outlives_what_failed_after_it(opened):
    conn = opened()
    run = conn.direct.execute
    conn.execute("BEGIN")
    write(conn, "a")
    run("SAVEPOINT job")
    write(conn, "a")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.direct.settle()
    run("ROLLBACK TO job")
    write(conn, "b")
    conn.commit()
    assert names(conn) == ["a", "b"]


def test_what_was_prepared_outlives_a_rollback_of_what_a_cursor_asked(opened):
    conn = opened()
    for _ in range(10):
        conn.execute("BEGIN")
        conn.execute("SELECT name FROM names WHERE name = %s", ("a",))
        assert names(conn) == []
        conn.rollback()


def test_more_than_both_buffers_hold_is_sent_and_answered(opened):
    conn = opened()
    conn.execute("BEGIN")
    for number in range(MANY):
        text = f"{number:05d}{TEXT}"
        conn.direct.execute("INSERT INTO names (name) VALUES ($1) RETURNING name", (text,))
    assert len(names(conn)) == MANY
    conn.commit()


def test_a_connection_that_ends_fails_what_was_sent_on_it(cluster, opened):
    conn = opened()
    conn.execute("BEGIN")
    write(conn, "a")
    cluster.execute(f"SELECT pg_terminate_backend({conn.info.backend_pid}, 10000)")
    with pytest.raises(psycopg.OperationalError):
        names(conn)


def test_a_snapshot_that_nobody_waits_for_to_end_has_ended_for_the_next(opened):
    writer, reader = opened(), opened(Reading)
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    for number in range(3):
        reader.direct.execute(begin)
        assert len(names(reader)) == number
        write(writer, f"{number}")
        writer.direct.settle()
        assert len(names(reader)) == number
        reader.rollback()


def test_a_server_that_was_away_leaves_no_traceback_when_the_bus_closes(cluster, tmp_path, caplog):
    config = Config(data_dir=tmp_path, database_url=cluster.url("postgres"))
    store = Store(config, ManualClock(), CountingIds(), set().update)
    with store.read() as conn:
        its_pid = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    cluster.execute(f"SELECT pg_terminate_backend({its_pid}, 10000)")
    store.close()
    assert caplog.text == ""
