"""What other rooms do to the board: runs that belong to a task, holders that leave the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.board import queries
from bus.board.model import BACKLOG, IN_PROGRESS, MOVED, NOTED
from bus.board.telling import Deed, tell_parties
from bus.board.writing import set_and_reread, write_history, write_note
from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.mail.rules import quote

if TYPE_CHECKING:
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def on_run_dispatched(tx: Transaction, run: Row) -> None:
    """Hear of a new run; one for a task is refused where its parent cannot see that task."""
    if not run.task_id:
        return
    parent = directory.get(tx.conn, run.parent_id)
    row = queries.find(tx.conn, run.task_id)
    if row is None or row.compartment not in parent.compartments:
        raise NotFoundError(f"'task_id': no task {run.task_id[:40]!r} that you can see")
    write_note(tx, row, f"run {run.label} dispatched to {run.worker}", parent, run_id=run.id)


def on_run_ended(tx: Transaction, run: Row) -> None:
    """Hear of a run's end: its task gets a note and stays where it is; its parent moves it."""
    row = queries.find(tx.conn, run.task_id) if run.task_id else None
    if row is None:
        return
    if row.holder_id == run.parent_id and row.status == IN_PROGRESS:
        queries.update(tx.conn, row.id, {"refreshed_ms": tx.now_ms})
    why = f": {quote(run.reason)}" if run.reason else ""
    text = f"run {run.label} of {run.worker} is {run.state}{why}"
    write_note(tx, row, text, None, run_id=run.id, message_id=run.message_id)


def on_removed(tx: Transaction, participant_id: int) -> None:
    """Hear that somebody left the bus: what it was at work on is for others to claim."""
    gone = directory.get(tx.conn, participant_id)
    for row in queries.held_by(tx.conn, participant_id):
        if row.status == IN_PROGRESS:
            values = {"status": BACKLOG, "holder_id": None, "refreshed_ms": None}
            now = set_and_reread(tx, row.id, changed_ms=tx.now_ms, **values)
            write_history(tx, now, MOVED, None, f"{gone.name} was removed from the bus")
            tell_parties(tx, row, now, Deed("orphan", gone))
        elif row.blocked_from == IN_PROGRESS:
            now = set_and_reread(tx, row.id, blocked_from=BACKLOG, holder_id=None)
            write_history(tx, now, NOTED, None, f"{gone.name}, who held it, was removed")
