"""A PostgreSQL that goes, hangs or moves: senders are told when to come again, readers stay.

Nothing that was accepted is lost and no retry makes a second message, whatever becomes of the
database in between; the one stream stays open through all of it and has every message once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest
from ontrial import DATABASE, trial_on

from tests.conftest import until
from tests.postgres import serving
from tests.relay import Relay

ROUNDS = 3
MANY = 20
ONE = {"to": "bob", "body": "x"}


@pytest.fixture
def cluster():
    with serving() as one:
        yield one


@pytest.fixture
def trial(cluster, tmp_path):
    with trial_on(cluster, tmp_path) as one:
        yield one


def test_a_database_that_restarts_costs_no_message_and_no_stream(cluster, trial):
    for _ in range(ROUNDS):
        cluster.restart()
        trial.wait_accepted()
    trial.end(cluster)


def test_a_database_that_is_killed_costs_no_message_and_no_stream(cluster, trial):
    for _ in range(ROUNDS):
        cluster.kill()
        cluster.run()
        trial.wait_accepted()
    trial.end(cluster)


def test_a_database_that_is_away_is_said_with_when_to_come_again(cluster, trial):
    cluster.stop()
    trial.wait_refused()
    status, said = trial.bus.call("", "GET", "/readyz")
    assert (status, said["code"], said["retryable"]) == (503, "storage_failed", True)
    assert trial.bus.call("", "GET", "/healthz")[0] == 200
    status, said = trial.bus.call(trial.bob, "GET", "/api/inbox?view=headers")
    assert (status, said["code"]) == (503, "storage_failed")
    cluster.run()
    trial.bus.wait_ready()
    trial.wait_accepted()
    trial.end(cluster)


def test_a_database_that_hangs_is_not_waited_for_without_end(cluster, trial):
    cluster.signal(signal.SIGSTOP)
    trial.wait_refused()
    trial.wait_refused()
    cluster.signal(signal.SIGCONT)
    trial.wait_accepted()
    trial.end(cluster)


LEFT = """\
from gevent import monkey, Timeout
monkey.patch_all()
import os, signal
import sqlalchemy as sa
from bus.clock import SystemClock
from bus.config import Config
from bus.store.postgresql import open_writer
from bus.store.server import Server

engine = open_writer(Config.from_env(os.environ))

@sa.event.listens_for(engine, "engine_connect")
def freeze(conn):
    its_pid = conn.connection.dbapi_connection.info.backend_pid
    os.kill(its_pid, signal.SIGSTOP)
    print(its_pid)

with Timeout(1, False):
    Server(engine, SystemClock()).settle()
"""


def test_a_server_that_freezes_as_it_is_looked_at_is_asked_nothing_more(cluster):
    done = subprocess.run(
        [sys.executable, "-c", LEFT],
        env=os.environ | {"BUS_DATABASE_URL": cluster.url("postgres")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    os.kill(int(done.stdout), signal.SIGCONT)


MUTE = """\
from gevent import monkey, pool
monkey.patch_all()
import socket
from bus.errors import StorageFailedError
from bus.fleet import line

line.WITHIN_S = 0.5
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
one = line.Line(f"postgresql+psycopg://bus@127.0.0.1:{port}/bus", "limits")

def ask(_):
    try:
        one.ask("SELECT 1")
    except StorageFailedError as error:
        return error.detail

print(len(set(pool.Pool(10).map(ask, range(10)))))
server.setblocking(False)
came = 0
try:
    while server.accept():
        came += 1
except BlockingIOError:
    print(came)
"""


def test_of_many_who_ask_a_server_that_is_mute_one_waits_for_all():
    told = subprocess.run(
        [sys.executable, "-c", MUTE], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["1", "1"]  # the same refusal for all, after one attempt


def test_a_database_that_cannot_be_used_for_a_while_is_said_and_used_again(cluster, trial):
    cluster.execute("ALTER TABLE meta RENAME TO elsewhere", DATABASE)
    trial.wait_refused()
    assert trial.bus.call("", "GET", "/readyz")[0] == 503
    cluster.execute("ALTER TABLE elsewhere RENAME TO meta", DATABASE)
    trial.wait_accepted()
    trial.bus.wait_ready()
    trial.end(cluster)


@pytest.mark.parametrize("table", ["log", "messages", "meta"])
def test_a_lock_that_somebody_holds_is_not_waited_for_without_end(cluster, trial, table):
    with psycopg.connect(cluster.admin_words(DATABASE)) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        trial.wait_refused()
        other.rollback()
    trial.wait_accepted()
    trial.end(cluster)


def test_connections_that_end_in_the_midst_of_anything_double_nothing(cluster, trial):
    for _ in range(20):
        cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
        )
        trial.wait_accepted(5)
    trial.end(cluster)


@pytest.fixture
def moved(cluster, tmp_path):
    """A bus that reaches its database by a relay; the trial and the relay."""
    with ExitStack() as stack:
        relay = Relay(cluster.port)
        stack.callback(relay.close)
        yield stack.enter_context(trial_on(cluster, tmp_path, relay.port)), relay


def test_a_network_that_swallows_is_not_waited_for_without_end(cluster, moved):
    trial, relay = moved
    relay.hold()
    trial.wait_refused()
    relay.cut()
    relay.let_go()
    trial.wait_accepted()
    trial.end(cluster)


def test_each_of_many_senders_is_told_soon_that_the_database_does_not_answer(cluster, moved):
    trial, relay = moved
    relay.hold()
    with ThreadPoolExecutor(MANY) as pool:
        # Who waits for longer than a call does hangs, and this raises.
        sent = [
            pool.submit(trial.bus.call, trial.alice, "POST", "/api/send", ONE) for _ in range(MANY)
        ]
        refused = {one.result()[0] for one in sent}
    assert refused == {503}
    relay.cut()
    relay.let_go()
    trial.wait_accepted()
    trial.end(cluster)


def why_unready(trial):
    return trial.bus.call("", "GET", "/readyz")[1].get("detail", "")


def test_a_standby_takes_over_and_has_all_that_was_accepted(cluster, moved):
    trial, relay = moved
    after = cluster.standby(synchronous=True)
    try:
        trial.wait_accepted()
        cluster.kill()
        trial.wait_refused()
        relay.move(after.port)
        until(lambda: "is a standby" in why_unready(trial), 30, "it is said what to do")
        after.promote()
        trial.wait_accepted()
        trial.end(after)
    finally:
        trial.close()
        trial.bus.stop(signal.SIGKILL)
        after.end()
