"""Runs in any order of events, with crashes: each ends once, and its parent is told once."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from mortalhouse import LIMITS, MortalHouse

from bus.access.model import Principal
from bus.directory import service as directory
from bus.errors import BusError
from bus.runs import service as runs
from bus.runs.model import ENDS, Batch, Limits, Outcome
from bus.runs.rules import read_order

pytestmark = pytest.mark.timeout(600)
EXAMPLES = int(os.environ.get("WAKEBUS_EXAMPLES", "60"))
WORKERS = ("wim", "will")
picks = st.integers(0, 30)
workers = st.sampled_from(WORKERS)
ends = st.sampled_from(["completed", "failed", "timed_out", "cancelled"])
ORDER = {"task": "work", "label": "work", "size": "S", "cleanup": "keep"}
LIMITS_OF_ORDERS = Limits(1000, 14_400, 100)


class RunsMachine(RuleBasedStateMachine):
    """A house in which runs are dispatched, done, lost, taken back, and the bus killed."""

    def __init__(self) -> None:
        super().__init__()
        self.house = MortalHouse()
        for name in WORKERS:
            one = {"name": name, "kind": "worker", "node": "one"}
            self.house.write(lambda tx, one=one: directory.add(tx, one))
        self.who = dict(self.house.who)
        for name in WORKERS:
            self.who[name] = self._principal(name)
        self.ended: dict[str, str] = {}
        self.claims: dict[str, str] = {}
        self.house.write(self.dispatching("wim", 1, "", "done_only"))
        self.house.write(self.dispatching("wim", 3, "all", "done_only"))
        self.house.write(self.dispatching("will", 2, "first", "done_only"))

    def teardown(self) -> None:
        self.house.close()

    def _principal(self, name: str) -> Principal:
        with self.house.store.read() as conn:
            one = directory.find(conn, name)
        assert one is not None
        return Principal("agent", name, "", one.id, None, one.compartments, "peer")

    def rows(self, words: str) -> list[Any]:
        with self.house.store.read() as conn:
            return list(conn.exec_driver_sql(words).all())

    def some(self, pick: int, which: str) -> Any:
        """Choose a run, of those that fit if there are some."""
        words = "SELECT r.*, p.name AS worker FROM runs r JOIN participants p ON p.id = r.worker_id"
        fitting = self.rows(f"{words} WHERE {which} ORDER BY r.place")
        found = fitting or self.rows(f"{words} ORDER BY r.place")
        return found[pick % len(found)]

    def dispatching(self, worker: str, many: int, report: str, notify: str) -> Any:
        order = read_order(ORDER | {"worker": worker, "notify": notify}, LIMITS_OF_ORDERS)
        batch = Batch((order,) * many, report if many > 1 else "")
        return lambda tx: runs.dispatch(tx, self.who["alice"], batch)

    @rule(
        worker=workers,
        many=st.sampled_from([1, 1, 1, 3]),
        report=st.sampled_from(["all", "first", "each"]),
        notify=st.sampled_from(["done_only", "done_only", "state_changes", "silent"]),
        torn=st.sampled_from([None, None, None, 0.0, 0.5, 1.0]),
    )
    def dispatch(
        self, worker: str, many: int, report: str, notify: str, torn: float | None
    ) -> None:
        self.attempt(self.dispatching(worker, many, report, notify), torn)

    @rule(pick=picks, instance=st.sampled_from(["one", "one", "two"]))
    def claim(self, pick: int, instance: str) -> None:
        run = self.some(pick, "r.state = 'queued' AND r.waits = 0")
        with suppress(BusError):
            who = self.who[run.worker]
            self.house.write(lambda tx: runs.claim(tx, who, run.id, instance, ""))
            assert self.claims.setdefault(run.id, instance) == instance, "claimed by two"

    @rule(pick=picks, off=st.sampled_from([0, 0, 0, 1]))
    def keep_alive(self, pick: int, off: int) -> None:
        run = self.some(pick, "r.claimed_ms IS NOT NULL")
        who = self.who[run.worker]
        self.attempt(lambda tx: runs.keep_alive(tx, who, run.id, run.claim + off, {}), None)

    @rule(
        pick=picks,
        status=ends,
        off=st.sampled_from([0, 0, 0, 0, 1]),
        torn=st.sampled_from([None, None, 0.0, 0.5, 1.0]),
    )
    def end(self, pick: int, status: str, off: int, torn: float | None) -> None:
        run = self.some(pick, "r.state = 'working'" if pick % 4 else "r.claimed_ms IS NOT NULL")
        who, said = self.who[run.worker], Outcome(status, output="said")
        self.attempt(lambda tx: runs.end(tx, who, run.id, run.claim + off, said), torn)

    @rule(pick=picks, by=st.sampled_from(["alice", "boss", "bob"]))
    def cancel(self, pick: int, by: str) -> None:
        run = self.some(pick, "r.ended_ms IS NULL")
        self.attempt(lambda tx: runs.cancel(tx, self.who[by], run.id, ""), None)

    @rule(worker=workers, paused=st.booleans())
    def pause(self, worker: str, paused: bool) -> None:
        self.attempt(lambda tx: directory.change(tx, worker, {"paused": paused}), None)

    @rule(seconds=st.sampled_from([1, 20, 20, 20, 61, 331, 3700]))
    def pass_time(self, seconds: int) -> None:
        self.house.clock.advance(seconds)
        self.house.keep()
        due = self.rows(f"SELECT id FROM runs WHERE due_ms <= {self.house.clock.now_ms()}")
        assert due == [], "all that was due is done"

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        (self.house.restart if clean else self.house.kill)()

    def attempt(self, operation: Any, torn: float | None) -> None:
        """Do it, or die just before its COMMIT; a refusal changes nothing."""
        with suppress(BusError):
            if torn is None:
                self.house.write(operation)
            else:
                self.house.kill_during(operation, torn)

    @invariant()
    def what_has_ended_stays_as_it_is(self) -> None:
        for run in self.rows("SELECT * FROM runs"):
            is_over = run.state in ENDS
            assert (run.ended_ms is not None) == is_over == (run.due_ms is None), run
            assert not (is_over and run.waits), run
            if is_over:
                assert self.ended.setdefault(run.id, run.state) == run.state
        assert self.ended.keys() <= {run.id for run in self.rows("SELECT id FROM runs")}

    @invariant()
    def each_end_is_told_exactly_once(self) -> None:
        told = [run.message_id for run in self.rows("SELECT message_id FROM runs") if run[0]]
        written = [one.id for one in self.rows("SELECT id FROM messages WHERE type = 'RESULT'")]
        assert sorted(told) == sorted(written)
        alone = self.rows(
            "SELECT r.* FROM runs r LEFT JOIN run_groups g ON g.id = r.group_id"
            " WHERE (g.id IS NULL OR g.report = 'each') AND r.notify <> 'silent'"
        )
        for run in alone:
            assert (run.message_id is not None) == (run.ended_ms is not None), run
        for group in self.rows("SELECT * FROM run_groups WHERE report <> 'each'"):
            these = self.rows(f"SELECT * FROM runs WHERE group_id = '{group.id}'")
            assert group.open == sum(run.ended_ms is None for run in these)
            reports = [run for run in these if run.message_id]
            is_first = group.report == "first" and any(run.state == "completed" for run in these)
            is_due = these[0].notify != "silent" and (not group.open or is_first)
            assert len(reports) == is_due, (group, these)

    @invariant()
    def each_worker_has_as_much_as_it_may_and_no_more(self) -> None:
        most = self.house.config.run_concurrency
        for name in WORKERS:
            me = self.who[name].participant_id
            (paused,) = self.rows(f"SELECT paused FROM participants WHERE id = {me}")[0]
            mine = self.rows(f"SELECT * FROM runs WHERE worker_id = {me} AND ended_ms IS NULL")
            taken = [run for run in mine if not run.waits]
            waiting = [run for run in mine if run.waits]
            assert len(taken) <= most
            if paused:
                assert all(run.claimed_ms for run in taken), "nothing new for who is paused"
            elif waiting:
                assert len(taken) == most, "a place is free and somebody waits"
                fresh = [run.place for run in taken if not run.claimed_ms]
                assert max(fresh, default=0) < min(run.place for run in waiting), "out of order"

    @invariant()
    def each_ladder_begins_and_ends_with_what_is_true(self) -> None:
        for run in self.rows("SELECT * FROM runs"):
            rungs = self.rows(f"SELECT * FROM run_ladder WHERE place = {run.place} ORDER BY id")
            assert (rungs[0].state, rungs[-1].state) == ("submitted", run.state)


assert LIMITS["retention_s"] > 3700, "what ended is still there to be looked at"
TestRuns = RunsMachine.TestCase
TestRuns.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
