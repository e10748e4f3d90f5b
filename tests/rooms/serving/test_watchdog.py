"""What feeds systemd's watchdog: a bus that reads, writes and keeps; not a process that lives."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import gevent
import pytest

from bus.app import create_app
from bus.clock import ManualClock
from bus.config import Config
from bus.errors import StorageBusyError, StorageFailedError
from bus.serving import watchdog as watchdog_module
from bus.serving.watchdog import Watchdog
from tests import engine
from tests.newdatabase import make_database


class Said(list):
    """Keeps what systemd would hear."""

    watchdog_s = 9.0  # a third of it is what the writer has on a loaded machine
    is_heard = True

    def ready(self):
        self.append("ready")

    def beat(self):
        self.append("beat")

    def status(self, text):
        self.append(text)


@pytest.fixture
def run(tmp_path):
    config = make_database(Config(data_dir=tmp_path))
    run = create_app(config, clock=ManualClock(), keeper=False).extensions["wakebus"]
    yield run
    run.store.close()


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def watchdog(run, said):
    one = Watchdog(said, run)
    one.look()
    assert said[:2] == ["ready", "beat"]
    said.clear()
    return one


def test_a_bus_that_works_is_fed_and_its_status_said_once(watchdog, said):
    watchdog.look()
    watchdog.look()
    assert said == ["beat", "beat"]


def test_nothing_is_fed_while_the_writer_hangs(run, watchdog, said):
    hangs = engine.new_gate()
    stuck = gevent.spawn(run.store.write, lambda _tx: hangs.wait(60), is_long=True)
    gevent.sleep(0)
    try:
        watchdog.look()
    finally:
        hangs.set()
        stuck.get()
    assert said == ["in trouble: the writer does not answer"]


def test_nothing_is_fed_once_the_keeper_hangs(run, watchdog, said):
    run.clock.advance(61)
    watchdog.look()
    assert said == ["in trouble: the keeper does not move"]


def test_a_full_disk_is_trouble_and_no_death(run, watchdog, said, monkeypatch):
    def refuse(_operation, _who=""):
        raise StorageFailedError("the disk is full")

    monkeypatch.setattr(run.store, "write", refuse)
    run.keeper.trouble = "the disk is full"
    watchdog.look()
    assert said == ["beat", "in trouble: what is due cannot be done: the disk is full"]


@pytest.mark.parametrize("moves", [True, False])
def test_a_full_queue_is_alive_as_long_as_it_moves(run, watchdog, said, monkeypatch, moves):
    def refuse(_operation, _who=""):
        run.store.writer.commits += moves
        raise StorageBusyError

    monkeypatch.setattr(run.store, "write", refuse)
    watchdog.look()
    assert ("beat" in said) == moves


def test_a_database_that_cannot_be_read_is_dead(run, watchdog, said, monkeypatch):
    def refuse():
        raise StorageFailedError("input/output error")

    monkeypatch.setattr(run.store, "read", refuse)
    watchdog.look()
    assert said == ["in trouble: input/output error"]


def test_a_shared_database_that_is_away_is_no_death(run, watchdog, said, monkeypatch):
    def refuse():
        raise StorageFailedError("the database cannot be reached")

    monkeypatch.setattr(run.fleet, "is_shared", True)
    monkeypatch.setattr(run.store, "read", refuse)
    watchdog.look()
    assert said == ["beat", "in trouble: the database cannot be reached"]


def test_one_of_several_that_is_dead_ends_itself_for_the_others_would_hide_it(
    run, watchdog, monkeypatch
):
    ended = []
    monkeypatch.setattr(watchdog_module.os, "kill", lambda *how: ended.append(how))
    run.clock.advance(61)
    for _ in range(watchdog_module.SURE):
        watchdog.look()
    assert not ended  # it is alone: systemd sees that it is not fed
    object.__setattr__(run, "config", replace(run.config, workers=2))
    watchdog.look()
    assert ended == [(os.getpid(), signal.SIGABRT)]
