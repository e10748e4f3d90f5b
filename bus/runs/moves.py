"""Moving a run: the only place where its state changes, and where it gets its turn at a worker.

Every move writes the state, its rung and the fact for its parent's stream in one transaction. A
run is on its node's stream (`waits` is 0) as soon as its worker has room for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.runs import queries
from bus.runs.model import ENDS
from bus.runs.rules import next_due
from bus.store.log import Concerns, append
from bus.wakes.rules import ask_pause_ms

if TYPE_CHECKING:
    from bus.directory.model import Participant
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def move(tx: Transaction, run: Row, state: str, reason: str = "", **changes: Any) -> Row:
    """Set a run's state with its reason; gives the run as it is now."""
    changes |= {"state": state, "reason": reason}
    if state in ENDS:
        changes |= {"ended_ms": tx.now_ms, "waits": 0, "lease_until_ms": None}
    changes.setdefault("due_ms", next_due({**run._asdict(), **changes}))
    queries.update(tx.conn, run.place, changes)
    now = run._replace(**changes)
    add_rung(tx, now)
    tell_parent(tx, now)
    tx.remind(now.due_ms)
    return now


def add_rung(tx: Transaction, run: Row) -> None:
    """Write what is true of a run now on its ladder."""
    rung = {
        "place": run.place,
        "at_ms": tx.now_ms,
        "state": run.state,
        "reason": run.reason,
        "claim": run.claim,
    }
    queries.insert_rung(tx.conn, rung)


def tell_parent(tx: Transaction, run: Row) -> None:
    """Put a run's state on its parent's stream; never a word of its task or its output."""
    data = {
        "to_agent": run.parent,
        "run_id": run.id,
        "worker": run.worker,
        "label": run.label,
        "state": run.state,
        "reason": run.reason,
        "group": run.group_id,
        "notify": run.notify,
        "at": tx.now_text,
    }
    append(tx, "run", data, Concerns(participant_id=run.parent_id, sender_id=run.worker_id))


def event_of(run: Row, at: str) -> dict[str, Any]:
    """Write what a node is told of a run: ids alone."""
    state = "cancelled" if run.cancel_ms is not None or run.ended_ms is not None else run.state
    return {
        "to_agent": run.worker,
        "run_id": run.id,
        "state": state,
        "claim": run.claim,
        "at": at,
    }


def tell_node(tx: Transaction, run: Row) -> None:
    """Put a run on the stream of the node that has it, or may."""
    if run.node_id is not None:
        append(tx, "run", event_of(run, tx.now_text), Concerns(node_id=run.node_id))


def fill(tx: Transaction, worker_id: int) -> None:
    """Give the next runs of a worker's queue a place, as far as there is room.

    What is on a stream where it does not belong any more is taken back first.
    """
    worker = directory.get(tx.conn, worker_id)
    node_id = None if worker.paused or worker.removed else worker.node_id
    room = tx.config.run_concurrency
    for run in queries.taken_of(tx.conn, worker_id):
        if run.claimed_ms is None and run.node_id != node_id:
            withdraw(tx, run, why_waiting(tx, worker))
        else:
            room -= 1
    if node_id is not None and room > 0:
        for run in queries.waiting_of(tx.conn, worker_id, room):
            offer(tx, run, node_id)


def withdraw(tx: Transaction, run: Row, reason: str) -> None:
    """Put a run that nobody claimed back into the queue."""
    move(tx, run, "queued", reason, waits=1, node_id=None, due_ms=run.deadline_ms)


def why_waiting(tx: Transaction, worker: Participant) -> str:
    """Say why a run has no place, as far as it is its worker's doing."""
    if worker.paused:
        return directory.why_paused(worker)
    if worker.node_id is None:
        return "waiting: the worker has no node"
    most = tx.config.run_concurrency
    return f"waiting for a place: {worker.name} does {most} at a time"


def offer(tx: Transaction, run: Row, node_id: int) -> None:
    """Put a run on its node's stream for the first time, or again: nobody has claimed it."""
    since = run.offered_ms if run.node_id == node_id and run.waits == 0 else tx.now_ms
    pause = ask_pause_ms(since, tx.now_ms, tx.config.wake_ask_s)
    changes = {
        "waits": 0,
        "node_id": node_id,
        "offered_ms": since,
        "due_ms": min(run.deadline_ms, tx.now_ms + pause),
    }
    if run.reason or run.state == "submitted":
        now = move(tx, run, "queued", "", **changes)
    else:
        queries.update(tx.conn, run.place, changes)
        now = run._replace(**changes)
        tx.remind(now.due_ms)
    tell_node(tx, now)
    tx.record("run_offered", run=run.id, worker=run.worker)
