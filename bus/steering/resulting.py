"""Runs that began in a session: who may have one belong there, and its end as an entry, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.runs import service as runs
from bus.sessions import service as sessions
from bus.sessions.model import CLOSED, RESULT
from bus.steering.model import MAX_RESULT_BYTES

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def check_run_session(tx: Transaction, principal: Principal, session_id: str) -> bool:
    """Refuse to have a run belong to a session where its parent is not, or its parent's own run."""
    me = directory.get(tx.conn, principal.participant_id or 0)
    if me.kind != "worker":
        sessions.find_open(tx.conn, principal, session_id)
    elif not runs.is_at_work_in(tx.conn, me.id, session_id):
        raise NotFoundError(f"no session {session_id[:40]!r} that a run of yours is in")
    return True


def say_end(tx: Transaction, run: Row) -> str | None:
    """Write a run's end into its session; gives the entry's id, or None where it is closed."""
    session = sessions.get(tx.conn, run.session_id)
    if session.state == CLOSED:
        return None
    data = {
        "run_id": run.id,
        "state": run.state,
        "label": run.label,
        "worker": run.worker,
        "parent": run.parent,
        "reason": run.reason,
    }
    text = runs.write_end(tx.conn, run, MAX_RESULT_BYTES)
    word = sessions.Word(RESULT, text, data, trust="peer", reply_key=f"run {run.id}")
    # An agent has its result as mail, too, and need not read it twice; a person has it here alone.
    by_id = None if run.parent_kind == "person" else run.parent_id
    written = sessions.write_entry(tx, session, run.worker_id, word, by_id=by_id)
    return str(written.entry.id)


def is_in_session(tx: Transaction, participant_id: int, session_id: str) -> bool:
    """Say whether somebody is in a session."""
    return sessions.is_in(tx.conn, sessions.get(tx.conn, session_id), participant_id)
