"""What feeds systemd's watchdog: a bus that reads, writes and keeps; not a process that lives."""

from __future__ import annotations

import threading

import gevent
import pytest

from bus.app import create_app
from bus.clock import ManualClock
from bus.config import Config
from bus.errors import StorageBusyError, StorageFailedError
from bus.serving.watchdog import Watchdog
from bus.store.migrate import migrate


class Said(list):
    """Keeps what systemd would hear."""

    watchdog_s = 0.6
    is_heard = True

    def ready(self):
        self.append("ready")

    def beat(self):
        self.append("beat")

    def status(self, text):
        self.append(text)


@pytest.fixture
def run(tmp_path):
    config = Config(data_dir=tmp_path)
    migrate(config)
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
    hangs = threading.Event()
    stuck = gevent.spawn(run.store.write, lambda _tx: hangs.wait(10), is_long=True)
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
