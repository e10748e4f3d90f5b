"""The rooms on a real database: alice and bob share the open compartment, charlie sees nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from bus.access import service as access
from bus.access.model import Principal
from bus.app import ROOMS
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import nodes
from bus.directory import service as directory
from bus.ids import CountingIds
from bus.mail import service as mail
from bus.mail.model import Draft
from bus.store.log import read_between
from bus.store.setaside import SetAside
from bus.store.store import Store
from bus.wakes import keeper
from bus.wakes import service as wakes
from tests.newdatabase import make_database


class Told(NamedTuple):
    """A row of the log, read."""

    seq: int
    data: dict[str, Any]


@dataclass
class House:
    store: Store
    clock: ManualClock
    aside: SetAside

    def principal(self, name: str) -> Principal:
        with self.store.read() as conn:
            one = directory.find(conn, name)
            kind = "person" if one.kind == "person" else "agent"
            return Principal(kind, name, "", one.id, None, one.compartments, "peer")

    def node(self, name: str) -> Principal:
        with self.store.read() as conn:
            return Principal("node", name, "", None, directory.node_id_of(conn, name))

    def send(self, sender: str, *to: str, key: Any = None, **draft: Any) -> dict[str, Any]:
        drafts = [Draft(to=to, **({"body": "hello"} | draft))]
        who = self.principal(sender)
        return self.store.write(lambda tx: mail.send(tx, who, drafts, batch=False, key=key))

    def read(self, name: str, **ask: Any) -> list[Any]:
        me = self.principal(name).participant_id
        return self.store.write(lambda tx: mail.read_inbox(tx, me, mail.Ask(**ask))).items

    def ack(self, name: str, handle: str) -> str:
        who = self.principal(name)
        return self.store.write(lambda tx: mail.ack(tx, who, [handle]))[0]["result"]

    def report(self, wake_id: str, state: str, **said: Any) -> dict[str, Any]:
        node = self.node("one")
        return self.store.write(
            lambda tx: wakes.report(tx, node, wake_id, {"state": state, **said})
        )

    def open_wakes(self) -> list[dict[str, Any]]:
        with self.store.read() as conn:
            node = self.node("one")
            return [data for _, data in wakes.pending_events(conn, node, 0)]

    def trace(self, name: str, message_id: str) -> dict[str, Any]:
        with self.store.read() as conn:
            return mail.trace(conn, self.principal(name), message_id)["deliveries"][0]

    def log(self, kind: str) -> list[Any]:
        with self.store.read() as conn:
            rows = [row for row in read_between(conn, 0, 10_000, []) if row.kind == kind]
        return [Told(row.seq, json.loads(row.text)) for row in rows]

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        while self.store.write(lambda tx: keeper.do_due(tx, self.aside)):
            pass


@pytest.fixture
def house(tmp_path, request):
    settings = {"max_inbox": 5} | getattr(request.module, "SETTINGS", {})
    config = make_database(Config(data_dir=tmp_path, **settings))
    clock = ManualClock()
    store = Store(config, clock, CountingIds(), lambda _topics: None)
    for room in ROOMS:
        room.register(store.hooks)
    store.write(lambda tx: nodes.add_node(tx, "one", ["alice", "bob"], ""))
    store.write(lambda tx: directory.add(tx, {"name": "charlie", "compartments": ["apart"]}))
    store.write(lambda tx: access.create_token(tx, "admin"))
    yield House(store, clock, SetAside(clock))
    store.close()
