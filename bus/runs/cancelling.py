"""Taking a run back: at once where nobody works on it, else by asking its node to stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.errors import ForbiddenError, NotFoundError, RunOverError
from bus.runs import queries
from bus.runs.ending import end
from bus.runs.moves import add_rung, tell_node, tell_parent
from bus.runs.showing import sees

if TYPE_CHECKING:
    from collections.abc import Collection

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def cancel(
    tx: Transaction, principal: Principal, run_id: str, reason: str, *, by_session: bool = False
) -> dict[str, Any]:
    """Take a run back; the answer says whether it has stopped, or is being stopped.

    `by_session`: whoever does it is in the run's session, and so need not see its worker.
    """
    run = queries.find(tx.conn, run_id)
    if run is None or not (by_session or sees(tx.conn, principal, run)):
        raise NotFoundError(f"no run {run_id[:40]!r} of yours")
    if principal.kind == "agent" and principal.participant_id != run.parent_id:
        raise ForbiddenError(
            f"{run_id} is its parent's to cancel, a person's or the administration's"
        )
    if run.state == "cancelled":
        return {"run_id": run.id, "state": run.state, "result": "already"}
    if run.ended_ms is not None:
        raise RunOverError(f"{run_id} is {run.state} already: bus run show {run_id}")
    words = f"cancelled by {principal.name}{f': {reason}' if reason else ''}"
    now = take_back(tx, run, words, principal.participant_id)
    result = "cancelled" if now.ended_ms is not None else "stopping"
    return {"run_id": run.id, "state": now.state, "result": result}


def take_back(tx: Transaction, run: Row, reason: str, by: int | None) -> Row:
    """End a run that nobody works on; have the node of a claimed one stop it, and say so."""
    if run.claimed_ms is None:
        asked = {"cancel_by": by, "cancel_ms": tx.now_ms}
        queries.update(tx.conn, run.place, asked)
        ended = end(tx, run._replace(**asked), "cancelled", reason)
        tell_node(tx, ended)
        return ended
    if run.cancel_ms is not None:
        return run
    deadline = min(run.deadline_ms, tx.now_ms + tx.config.run_grace_s * 1000)
    changes = {
        "cancel_ms": tx.now_ms,
        "cancel_by": by,
        "reason": reason,
        "deadline_ms": deadline,
        "due_ms": min(deadline, run.lease_until_ms),
    }
    queries.update(tx.conn, run.place, changes)
    now = run._replace(**changes)
    add_rung(tx, now)
    tell_parent(tx, now)
    tell_node(tx, now)
    tx.remind(now.due_ms)
    return now


def open_in_session(
    conn: sa.Connection, principal: Principal, session_id: str, parents: Collection[int] | None
) -> list[Row]:
    """List the open runs of a session that somebody in it may stop; of some parents, or of all."""
    return [
        run
        for run in queries.open_in_session(conn, session_id)
        if (parents is None or run.parent_id in parents)
        and (principal.kind != "agent" or run.parent_id == principal.participant_id)
    ]


def find_in_session(tx: Transaction, principal: Principal, session_id: str, run_id: str) -> Row:
    """Find an open run of a session that somebody in it may stop."""
    run = queries.find(tx.conn, run_id)
    if run is None or run.session_id != session_id:
        raise NotFoundError(f"no run {run_id[:40]!r} of session {session_id}")
    if principal.kind == "agent" and principal.participant_id != run.parent_id:
        raise ForbiddenError(f"{run_id} is its parent's to stop, or a person's")
    if run.ended_ms is not None:
        raise RunOverError(f"{run_id} is {run.state} already: bus run show {run_id}")
    return run
