"""Any order of moves, by anybody, leaves a board that is true: no rule hangs on good behaviour."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bus.access.model import Principal
from bus.board import queries, service
from bus.board.model import STATUSES, Change, Draft
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import service as directory
from bus.errors import BusError
from bus.ids import CountingIds
from bus.mail import service as mail
from bus.store.store import Store
from bus.wakes import service as wakes
from tests import engine
from tests.newdatabase import make_database

CAST = {
    "ann": {},
    "ben": {},
    "lea": {"lead": True},
    "pia": {"kind": "person"},
    "wim": {"kind": "worker"},
    "cat": {"compartments": ["apart"], "lead": True},
}
CHIEFS = {"lea", "pia"}
WHO, TO = st.sampled_from(sorted(CAST)), st.sampled_from(STATUSES)
NOTES = st.sampled_from(["", "why"])


class BoardMachine(RuleBasedStateMachine):
    """A board of a few tasks, moved about at random."""

    @initialize()
    def open(self):
        self.folder = tempfile.TemporaryDirectory(prefix="board-")
        config = make_database(Config(data_dir=Path(self.folder.name)))
        self.clock = ManualClock()
        self.store = Store(config, self.clock, CountingIds(), lambda _topics: None)
        for room in (mail, wakes, service):
            room.register(self.store.hooks)
        for name, fields in CAST.items():
            self.store.write(
                lambda tx, one=(name, fields): directory.add(tx, {"name": one[0]} | one[1])
            )
        self.tasks: list[str] = []
        self.holders: dict[str, str | None] = {}
        for is_ops in (False, True):
            draft = Draft("shed", is_ops=is_ops)
            added = self.store.write(lambda tx, d=draft: service.add(tx, self.me("ann"), d, None))
            self.tasks.append(added["id"])

    def me(self, name):
        with self.store.read() as conn:
            one = directory.find(conn, name)
        kind = "person" if one.kind == "person" else "agent"
        return Principal(kind, name, "", one.id, None, one.compartments)

    def row(self, task_id):
        with self.store.read() as conn:
            return queries.find(conn, task_id)

    def history(self, task_id):
        with self.store.read() as conn:
            return queries.history(conn, task_id, 10_000)[::-1]

    def facts(self):
        with self.store.read() as conn:
            return conn.exec_driver_sql("SELECT count(*) FROM log WHERE kind = 'task'").scalar()

    @rule(who=WHO, to=TO, note=NOTES, which=st.integers(0, 1))
    def move(self, who, to, note, which):
        task_id = self.tasks[which]
        before, said, facts = self.row(task_id), len(self.history(task_id)), self.facts()
        me = self.me(who)
        try:
            answer = self.store.write(lambda tx: service.act(tx, me, task_id, Change(to, note)))
        except BusError:
            assert self.row(task_id) == before
            assert (len(self.history(task_id)), self.facts()) == (said, facts)
            return
        now = self.row(task_id)
        assert now.status == to
        assert who not in {"wim", "cat"}
        assert who not in answer["told"]
        if answer["already"]:
            assert now.holder == before.holder
            return
        assert len(self.history(task_id)) == said + 1
        assert self.facts() == facts + 1
        if to == "done" and before.status == "review":
            assert who in CHIEFS
        if to == "done" and before.status == "in_progress":
            assert before.ops
            assert before.holder == who
        if now.holder != before.holder:
            taken = now.holder is None or now.holder == who
            assert taken
        if before.status == "blocked":
            assert before.blocked_from == to

    @rule(who=WHO, which=st.integers(0, 1))
    def note(self, who, which):
        task_id, me = self.tasks[which], self.me(who)
        before = self.row(task_id)
        try:
            self.store.write(lambda tx: service.add_note(tx, me, task_id, "x", None))
        except BusError:
            assert who == "cat"
        assert self.row(task_id).status == before.status

    @rule(seconds=st.sampled_from([1, 1000, 2000]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @invariant()
    def each_task_is_whole(self):
        for task_id in getattr(self, "tasks", []):
            row = self.row(task_id)
            is_held = row.holder_id is not None
            at = row.blocked_from if row.status == "blocked" else row.status
            assert is_held == (at != "backlog")
            assert (row.blocked_from is not None) == (row.status == "blocked")
            assert (row.blocker_id is not None) == (row.status == "blocked")
            assert self.history(task_id)[-1].status == row.status

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            engine.drop(Path(self.folder.name))
            self.folder.cleanup()


TestBoard = BoardMachine.TestCase
TestBoard.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
