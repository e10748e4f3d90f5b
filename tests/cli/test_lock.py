"""Whoever has not the database's lock leaves its files as they are."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager

import pytest

from bus.errors import LockedError
from bus.store import lock
from tests.conftest import until

pytestmark = pytest.mark.sqlite_only("its file and the lock beside it")


@contextmanager
def until_held(db_path):
    """Hold the lock, once the last process that was killed has let it go."""
    with ExitStack() as stack:

        def take():
            try:
                stack.enter_context(lock.held(db_path))
            except LockedError:
                return False
            return True

        until(take, 30, "the killed bus has let the lock go")
        yield


@pytest.mark.parametrize("command", ["serve", "init", "migrate"])
def test_what_a_killed_bus_left_is_finished_by_nobody_without_the_lock(bus, as_admin, command):
    assert as_admin("agent", "add", "ann").code == 0
    bus.stop(signal.SIGKILL)
    wal = bus.data_dir / "bus.db-wal"
    left = wal.read_bytes()
    assert left, "the last opener of a database that was left so would write this back"
    with until_held(bus.data_dir / "bus.db"):
        got = as_admin(command, BUS_PORT="0")
        assert got.code == 1
        assert "another bus (process" in got.err
        assert wal.read_bytes() == left
