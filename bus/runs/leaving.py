"""What becomes of open runs when their worker or their parent moves, pauses or is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.runs import queries
from bus.runs.cancelling import take_back
from bus.runs.ending import end
from bus.runs.moves import fill, tell_node

if TYPE_CHECKING:
    from bus.store.transaction import Transaction


def on_changed(tx: Transaction, participant_id: int) -> None:
    """Hear that a worker moved, paused or went on: what nobody claimed goes where it is now."""
    worker = directory.get(tx.conn, participant_id)
    if worker.kind != "worker" or worker.removed:
        return
    for run in queries.taken_of(tx.conn, participant_id):
        if run.claimed_ms is not None and run.node_id != worker.node_id:
            tell_node(tx, run._replace(cancel_ms=tx.now_ms))
            # Its old machine has lost the worker's token: it can say no end any more.
            end(tx, run, "lost", f"{worker.name} was moved while it worked")
    fill(tx, participant_id)


def on_removed(tx: Transaction, participant_id: int) -> None:
    """Hear that somebody was removed: a worker's runs end, and nobody waits for a parent's."""
    name = directory.get(tx.conn, participant_id).name
    gone = f"{name} was removed from the bus"
    for run in queries.children_of(tx.conn, participant_id):
        take_back(tx, run, gone, None)
    for run in queries.open_of_worker(tx.conn, participant_id):
        if run.claimed_ms is None:
            take_back(tx, run, gone, None)
        else:
            end(tx, run, "lost", f"{gone} while it worked")
