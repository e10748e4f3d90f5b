"""The writer: what waits for another process or for the disk keeps nobody else from anything."""

from __future__ import annotations

import contextlib
import sqlite3

import gevent
import pytest

from bus.errors import ForbiddenError, StorageFailedError
from bus.store import sqlite, writer
from bus.store.meta import set_fact
from tests import engine


@pytest.mark.sqlite_only("its one lock")
def test_a_send_waits_for_another_process_while_all_else_goes_on(house):
    house.send("alice", "bob")
    other = sqlite3.connect(house.store.config.db_path, isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        sending = gevent.spawn(house.send, "alice", "bob")
        for _ in range(100):
            gevent.sleep(0.001)  # a greenlet that runs meanwhile, as a stream would
        assert not sending.ready()
        assert len(house.log("message")) == 1
        other.execute("ROLLBACK")
        assert sending.get(timeout=60)["status"] == "accepted"
    assert len(house.log("message")) == 2


@pytest.mark.sqlite_only("its one lock")
def test_a_send_is_refused_where_another_process_keeps_the_database(house, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    house.send("alice", "bob")
    other = sqlite3.connect(house.store.config.db_path, isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailedError, match="locked"):
            house.send("alice", "bob")
    assert house.send("alice", "bob")["status"] == "accepted"


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_what_is_refused_leaves_nothing_and_sinks_no_neighbour(house, refused, monkeypatch):
    monkeypatch.setattr(type(house.store.writer._engine), "group_s", 60)

    def write(number: int) -> None:
        def operation(tx):
            set_fact(tx, f"k{number}", "")
            if number == refused:
                raise ForbiddenError

        house.store.write(operation)

    commits = house.store.writer.commits
    group = [gevent.spawn(write, number) for number in range(3)]
    gevent.joinall(group, timeout=60)
    assert house.store.writer.commits == commits + 1
    assert [one.successful() for one in group] == [number != refused for number in range(3)]
    with house.store.read() as conn:
        rows = conn.exec_driver_sql("SELECT key FROM meta WHERE key LIKE 'k_'").scalars()
        assert set(rows) == {f"k{number}" for number in range(3) if number != refused}


def test_a_close_waits_until_all_that_was_queued_is_on_disk(house):
    def write(number: int) -> None:
        house.store.write(lambda tx: set_fact(tx, f"k{number}", ""))

    queued = 2 * writer.GROUP + 1
    group = [gevent.spawn(write, number) for number in range(queued)]
    gevent.sleep(0)  # each has its place in the queue now
    house.store.writer.close()
    gevent.joinall(group, timeout=60)
    assert all(one.successful() for one in group)
    rows = engine.look(house.store.config.data_dir, "SELECT count(*) FROM meta WHERE key LIKE 'k%'")
    assert rows == [(queued,)]
