"""Whatever agents say to each other, and whatever the guard holds: no message is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bus.access import service as access
from bus.access.model import Principal
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import service as directory
from bus.ids import CountingIds
from bus.mail import holding
from bus.mail import service as mail
from bus.mail.model import Draft
from bus.store.store import Store
from bus.wakes import service as wakes
from tests import engine
from tests.newdatabase import make_database

AGENTS = ("ann", "ben", "cat")
EVERYONE = (*AGENTS, "boss")
TIGHT = {
    "guard_hops": 3,
    "guard_laps": 2,
    "guard_chain": 6,
    "guard_burst": 3,
    "guard_self": 2,
    "guard_messages": 5,
    "max_inbox": 1000,
}
name = st.sampled_from(EVERYONE)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), name, name),
        st.tuples(st.just("answer"), name, st.none()),
        st.tuples(st.just("take"), name, st.none()),
        st.tuples(st.just("ring"), st.integers(1, 12), st.none()),
        st.tuples(st.just("burst"), st.integers(1, 6), st.none()),
        st.tuples(st.just("wait"), st.integers(1, 90), st.none()),
        st.tuples(st.just("release"), st.none(), st.none()),
    ),
    max_size=30,
)


class Fleet:
    """Three agents and a person on a real database, with a guard that holds early."""

    def __init__(self, folder: Path) -> None:
        config = make_database(Config(data_dir=folder, synchronous="OFF", **TIGHT))
        self.clock = ManualClock()
        self.store = Store(config, self.clock, CountingIds(), lambda _topics: None)
        mail.register(self.store.hooks)
        wakes.register(self.store.hooks)
        for one in AGENTS:
            self.store.write(lambda tx, one=one: directory.add(tx, {"name": one}))
        self.store.write(lambda tx: directory.add(tx, {"name": "boss", "kind": "person"}))
        self.store.write(lambda tx: access.create_token_for(tx, "person", "boss", ""))
        self.sent: set[str] = set()
        self.read: set[str] = set()
        self.last: dict[str, str] = {}

    def principal(self, who: str) -> Principal:
        with self.store.read() as conn:
            one = directory.find(conn, who)
        kind = "person" if who == "boss" else "agent"
        return Principal(kind, who, "", one.id, None, one.compartments, "peer")

    def send(self, who: str, to: str, **more: str) -> None:
        drafts = [Draft(to=(to,), body="x", **more)]
        principal = self.principal(who)
        answer = self.store.write(
            lambda tx: mail.send(tx, principal, drafts, batch=False, key=None)
        )
        self.sent.add(answer["id"])

    def take(self, who: str) -> None:
        me = self.principal(who)
        page = self.store.write(
            lambda tx: mail.read_inbox(tx, me.participant_id, mail.Ask(limit=500))
        )
        for item in page.items:
            if item.row.sender_id is not None:
                assert item.row.message_id not in self.read, "it was read twice"
                self.read.add(item.row.message_id)
                self.last[who] = f"{item.row.message_id} {item.row.from_name}"
        handles = [item.handle for item in page.items]
        self.store.write(lambda tx: mail.ack(tx, me, handles))

    def answer(self, who: str) -> None:
        if who in self.last:
            message_id, to = self.last[who].split()
            self.send(who, to, in_reply_to=message_id)

    def ring(self, steps: int) -> None:
        """Have each agent take its mail and write anew to the next."""
        for at in range(steps):
            self.take(AGENTS[at % 3])
            self.send(AGENTS[at % 3], AGENTS[(at + 1) % 3])

    def burst(self, number: int) -> None:
        """Have an agent answer the same message again and again."""
        for _ in range(number):
            self.answer("ann")

    def release(self) -> int:
        boss = self.principal("boss")
        with self.store.read() as conn:
            held = holding.list_held(conn, boss, 500)
        for one in held:
            self.store.write(lambda tx, one=one: mail.release_thread(tx, one["thread"]))
        return len(held)

    def do(self, step: tuple) -> None:
        what, one, other = step
        if what == "send":
            self.send(one, other)
        elif what == "wait":
            self.clock.advance(one)
        elif what == "release":
            self.release()
        else:
            getattr(self, what)(one)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
@example(steps=[("ring", 12, None)])
@example(steps=[("ring", 5, None), ("send", "ben", "boss")])
@example(steps=[("send", "boss", "ann"), ("take", "ann", None), ("burst", 6, None)])
def test_all_that_was_accepted_is_read_once_when_a_person_has_let_everything_go(steps):
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder))
        try:
            for step in steps:
                fleet.do(step)
            fleet.release()
            for one in EVERYONE:
                fleet.take(one)
            assert fleet.read == fleet.sent
            assert fleet.release() == 0
        finally:
            fleet.store.close()
            engine.drop(Path(folder))
