"""Runs on a real database: alice and pia dispatch, wim and will work, a claimant is their node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bus.directory import nodes
from bus.directory import service as directory
from bus.runs import service as runs
from bus.runs.model import Batch, Limits, Outcome
from bus.runs.rules import read_batch, read_order

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits(max_task_bytes=10_000, longest_s=14_400, max_batch=100)
ORDER = {
    "worker": "wim",
    "task": "count the files",
    "label": "count",
    "size": "S",
    "cleanup": "keep",
}


@dataclass
class Works:
    """Who dispatches, and a claimant that does what a node would."""

    house: Any

    def write(self, do: Callable[[Any], Any]) -> Any:
        return self.house.store.write(do)

    def start(self, parent: str = "alice", *, key: Any = None, **fields: Any) -> dict[str, Any]:
        join = fields.pop("join", None)
        batch = Batch((read_order(ORDER | fields, LIMITS),))
        who = self.house.principal(parent)
        return self.write(lambda tx: runs.dispatch(tx, who, batch, join=join, key=key))

    def start_group(self, *several: dict[str, Any], report: str = "all") -> dict[str, Any]:
        given = [ORDER | {"label": f"part-{at}"} | one for at, one in enumerate(several)]
        batch, who = read_batch(given, report, LIMITS), self.house.principal("alice")
        return self.write(lambda tx: runs.dispatch(tx, who, batch))

    def claim(self, run_id: str, worker: str = "wim", instance: str = "one", workspace: str = ""):
        who = self.house.principal(worker)
        return self.write(lambda tx: runs.claim(tx, who, run_id, instance, workspace))

    def alive(self, run_id: str, claim: int = 1, worker: str = "wim", **turn: str):
        who = self.house.principal(worker)
        return self.write(lambda tx: runs.keep_alive(tx, who, run_id, claim, turn))

    def end(self, run_id: str, status: str = "completed", claim: int = 1, worker="wim", **said):
        who, outcome = self.house.principal(worker), Outcome(status, **said)
        return self.write(lambda tx: runs.end(tx, who, run_id, claim, outcome))

    def do(self, run_id: str, status: str = "completed", worker: str = "wim", **said: Any):
        claim = self.claim(run_id, worker)["claim"]
        return self.end(run_id, status, claim, worker, **said)

    def cancel(self, run_id: str, by: str = "alice", reason: str = "") -> dict[str, Any]:
        who = self.house.principal(by)
        return self.write(lambda tx: runs.cancel(tx, who, run_id, reason))

    def show(self, run_id: str, reader: str = "alice") -> dict[str, Any]:
        return self.show_with_pause(run_id, reader)[0]

    def show_with_pause(self, run_id: str, reader: str = "alice"):
        now_ms = self.house.clock.now_ms()
        with self.house.store.read() as conn:
            return runs.show_one(conn, self.house.principal(reader), run_id, now_ms)

    def state(self, run_id: str) -> str:
        return self.show(run_id)["state"]

    def list(self, reader: str = "alice", **asked: Any) -> list[str]:
        with self.house.store.read() as conn:
            shown, _ = runs.list_runs(conn, self.house.principal(reader), runs.Asked(**asked))
        return [run["run_id"] for run in shown]

    def results(self, reader: str = "alice") -> list[Any]:
        return [item for item in self.house.read(reader) if item.row.type == "RESULT"]

    def offered(self, node: str = "one") -> list[str]:
        """List what a node's stream was told to claim, each once."""
        with self.house.store.read() as conn:
            node_id = directory.node_id_of(conn, node)
            return [run["run_id"] for run in runs.list_for_node(conn, node_id)]


@pytest.fixture
def works(house):
    """Wim works on node one of alice and bob, will on node two; pia is a person."""
    add = directory.add
    house.store.write(lambda tx: nodes.add_node(tx, "two", [], ""))
    house.store.write(lambda tx: add(tx, {"name": "wim", "kind": "worker", "node": "one"}))
    house.store.write(lambda tx: add(tx, {"name": "will", "kind": "worker", "node": "two"}))
    house.store.write(lambda tx: add(tx, {"name": "pia", "kind": "person"}))
    return Works(house)
