"""The PostgreSQL that tests start: what it promises them, since they could not tell."""

from __future__ import annotations

import subprocess
import sys
import urllib.parse
from pathlib import Path

import psycopg
import pytest

from tests.conftest import until
from tests.postgres import is_alive, serving

ORPHAN = """
from tests.postgres import Cluster
cluster = Cluster.start()
print(cluster.folder, cluster.process.pid, flush=True)
input()
"""


@pytest.fixture
def cluster():
    with serving() as one:
        yield one


def open_as_bus(cluster, name):
    return psycopg.connect(cluster.url(name).replace("+psycopg", ""), autocommit=True)


def test_a_kill_of_all_its_processes_loses_nothing_that_was_committed(cluster):
    url = cluster.create("one")
    port = urllib.parse.urlsplit(url).port
    with open_as_bus(cluster, "one") as conn:
        conn.execute("CREATE TABLE kept (word text)")
        conn.execute("INSERT INTO kept VALUES ('kept')")
        pids = cluster.pids
        cluster.kill()
        assert not any(is_alive(pid) for pid in pids)
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    assert not cluster.is_ready()
    cluster.run()
    assert cluster.port == port
    assert cluster.execute("SELECT word FROM kept", "one") == [("kept",)]


def test_a_promoted_standby_has_what_its_primary_answered_for(cluster):
    cluster.create("one")
    after = cluster.standby(synchronous=True)
    try:
        with open_as_bus(cluster, "one") as conn:
            conn.execute("CREATE TABLE kept (word text)")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            after.execute("CREATE TABLE refused (word text)", "one")
        cluster.kill()
        after.promote()
        with open_as_bus(after, "one") as conn:  # by the same password, at another port
            conn.execute("INSERT INTO kept VALUES ('goes on')")
            assert conn.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    finally:
        after.end()


def test_a_copy_of_a_database_is_the_buss_own_and_english_orders_its_text(cluster):
    cluster.create("made")
    with open_as_bus(cluster, "made") as conn:
        conn.execute("CREATE TABLE words (word text)")
        conn.execute("INSERT INTO words VALUES ('b'), ('A'), ('a'), ('B')")
    cluster.create("copy", template="made")
    with open_as_bus(cluster, "copy") as conn:
        rows = conn.execute("SELECT word FROM words ORDER BY word").fetchall()
        assert [word for (word,) in rows] == ["a", "A", "b", "B"]
        conn.execute("DROP TABLE words")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("CREATE DATABASE other")
        cluster.drop("copy")  # with somebody connected
    assert cluster.execute("SELECT 1 FROM pg_database WHERE datname = 'copy'") == []


def test_nothing_of_it_outlives_a_run_of_tests_that_is_killed():
    command = [sys.executable, "-c", ORPHAN]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with run:
        folder, pid = run.stdout.readline().split()
        assert is_alive(int(pid))
        run.kill()
    until(lambda: not is_alive(int(pid)), 30, "PostgreSQL ended after its test did")
    subprocess.run(["rm", "-r", folder], check=True)
    assert not Path(folder).exists()
