"""Taking mail back: its sender, a person who sees both ends, or the administration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.errors import EndedError, ForbiddenError, NotFoundError
from bus.mail import queries
from bus.mail.moves import end
from bus.mail.rules import quote
from bus.mail.tracing import sees

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

Result = dict[str, Any]


def cancel(
    tx: Transaction, principal: Principal, message_id: str, to: list[str], reason: str
) -> Result:
    """Cancel what of a message is not acked; `to` names single recipients, none means all.

    Once more gives `already`. What is being read is cancelled too: its reader's ack then says
    `ended`, and its answer is still taken.

    Raises:
        EndedError: nothing of it could be cancelled any more.
    """
    rows = find_deliveries(tx.conn, principal, message_id, to)
    results = [cancel_row(tx, principal, row, reason) for row in rows]
    if all(one["result"] == "ended" for one in results):
        states = ", ".join(f"for {one['to']} it is {one['state']}" for one in results[:3])
        raise EndedError(f"too late to cancel: {states}", results=results)
    return {"id": message_id, "results": results}


def cancel_row(tx: Transaction, principal: Principal, row: Row, reason: str) -> Result:
    """Cancel one delivery; a sender is told of what another has cancelled, not of its own doing."""
    state = row.state
    if row.ended_ms is not None:
        result = "already" if state == "cancelled" else "ended"
        return {"to": row.to_name, "result": result, "state": state}
    why = f"cancelled by {name_of(principal)}" + (f": {quote(reason)}" if reason else "")
    own = principal.participant_id is not None and principal.participant_id == row.sender_id
    end(tx, row, "cancelled", why, is_told=not own)
    return {"to": row.to_name, "result": "cancelled", "state": "cancelled", "was": state}


def name_of(principal: Principal) -> str:
    """Name who did something, for those who read of it."""
    return "the administration" if principal.kind == "admin" else principal.name


def find_deliveries(
    conn: sa.Connection, principal: Principal, message_id: str, to: list[str]
) -> list[Row]:
    """Find a message's deliveries that the principal may cancel or send again.

    Raises:
        NotFoundError: no such message, or none that the principal may see.
        ForbiddenError: it is the recipient, who can release what it reads.
    """
    seen = [row for row in queries.of_message(conn, message_id) if sees(conn, principal, row)]
    if not seen:
        raise NotFoundError(f"no message {message_id[:40]!r} of yours")
    rows = [row for row in seen if not to or row.to_name in to]
    absent = sorted(set(to) - {row.to_name for row in rows})
    if absent:
        raise NotFoundError(f"{message_id} was not sent to {absent[0][:70]!r}")
    if not all(is_in_charge(principal, row) for row in rows):
        raise ForbiddenError(
            f"{message_id} is its sender's to cancel and to send again; as its recipient release "
            'it by its handle: POST /api/release, "mode": "refuse"'
        )
    return rows


def is_in_charge(principal: Principal, row: Row) -> bool:
    """Say whether a delivery that a principal sees is also in its hands."""
    me = principal.participant_id
    return principal.kind in {"person", "admin"} or me == row.sender_id
