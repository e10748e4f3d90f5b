"""A migrated database, and a way to write to it, for the use cases of the directory."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import enrolment, nodes
from bus.directory import service as directory
from bus.ids import CountingIds
from bus.store.migrate import migrate
from bus.store.store import Store

NONCE = "n" * 32


class House:
    """One store, the topics that were told to look again, and short ways to write and read."""

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

    def add_node(self, name="attic", agents=("bob",)):
        return self.write(nodes.add_node, name, list(agents), "")["code"]

    def redeem(self, code, nonce=NONCE, **more):
        given = {
            "code": code,
            "nonce": nonce,
            "url": "http://bus.lan:8091",
            "instance": "i",
            "header_dir": "$HOME/.wakebus",
        }
        return self.write(enrolment.redeem, given | more)

    def enter(self, token):
        return self.read(access.authenticate, self.config, f"Bearer {token}", "", "")


@pytest.fixture
def house(tmp_path):
    config = Config(data_dir=tmp_path / "data")
    migrate(config)
    one = House(config)
    yield one
    one.store.close()
