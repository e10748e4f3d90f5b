"""A pooler between the bus and its PostgreSQL, which lends a session for one transaction."""

from __future__ import annotations

import os
import subprocess

import pytest
from ontrial import DATABASE, trial_on

from tests.conftest import BIN
from tests.pooler import pooling
from tests.postgres import serving
from tests.serverbus import ServerBus


@pytest.fixture(scope="module")
def cluster():
    with serving() as one:
        yield one


@pytest.fixture
def pooler(cluster):
    with pooling(cluster) as port:
        yield port
    cluster.drop(DATABASE)


def bus_says(bus, *words):
    """Run a command of the bus as its own machine would; gives its end and all that it said."""
    argv = [str(BIN / "bus"), *words]
    env = os.environ | bus.environment
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_bus_behind_a_pooler_loses_nothing_and_tells_at_once(cluster, pooler, tmp_path):
    past = {"BUS_NOTIFY_URL": cluster.url(DATABASE), "BUS_WORKERS": "2"}
    with trial_on(cluster, tmp_path, pooler, **past) as trial:
        trial.wait_accepted(100)
        code, said = bus_says(trial.bus, "backup", str(tmp_path))
        assert code == 0, said
        said = bus_says(trial.bus, "doctor")[1]
        assert "BUS_NOTIFY_URL leads to the same database" in said
        # What a command set for itself must not be what the bus meets next.
        trial.wait_accepted(100)
        assert not trial.refused
        cluster.restart()
        trial.wait_accepted(100)
        trial.end(cluster)


def test_without_the_way_past_a_pooler_it_is_said_and_nothing_is_spoilt(cluster, pooler, tmp_path):
    direct = ServerBus(tmp_path / "data", database_url=cluster.create(DATABASE))
    direct.init()
    pooled = ServerBus(tmp_path / "data", database_url=cluster.url(DATABASE, pooler))
    for command in ("init", "serve", "backup", "doctor"):
        code, said = bus_says(pooled, command)
        assert code, command
        assert "name the way past it in BUS_NOTIFY_URL" in said


def test_a_pooler_that_keeps_sessions_is_as_good_as_none(cluster, tmp_path):
    cluster.create(DATABASE)
    with pooling(cluster, "session") as port:
        bus = ServerBus(tmp_path / "data", database_url=cluster.url(DATABASE, port))
        code, said = bus_says(bus, "init")
        assert code == 0, said
        code, said = bus_says(bus, "backup", str(tmp_path))
        assert code == 0, said
    cluster.drop(DATABASE)
