"""One migrated store, for the use cases of a single room."""

from __future__ import annotations

from contextlib import contextmanager

from bus.clock import ManualClock
from bus.config import Config
from bus.directory import service as directory
from bus.ids import CountingIds
from bus.store.store import Store
from tests.newdatabase import make_database


class OneStore:
    """A store, the topics that were told to look again, and short ways to write and read."""

    def __init__(self, config):
        self.config, self.clock, self.topics = config, ManualClock(), set()
        self.store = Store(config, self.clock, CountingIds(), self.topics.update)

    def write(self, verb, *args, **more):
        return self.store.write(lambda tx: verb(tx, *args, **more))

    def read(self, query, *args, **more):
        with self.store.read() as conn:
            return query(conn, *args, **more)

    def add(self, name, **fields):
        return self.write(directory.add, {"name": name, **fields})


@contextmanager
def running(kind, data_dir, **settings):
    """Have one of a kind, on a database made for it."""
    config = make_database(Config(data_dir=data_dir, **settings))
    one = kind(config)
    yield one
    one.store.close()
