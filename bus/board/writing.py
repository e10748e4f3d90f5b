"""Writing a row of a task's history, with its fact for the streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.board import queries
from bus.board.model import IN_PROGRESS, NOTED
from bus.errors import NotFoundError
from bus.mail.model import SYSTEM
from bus.store.log import Concerns, append

if TYPE_CHECKING:
    from bus.directory.model import Participant
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def write_history(  # noqa: PLR0913 - what, by whom, and what belongs to it
    tx: Transaction,
    row: Row,
    what: str,
    by: Participant | None,
    text: str = "",
    *,
    run_id: str | None = None,
    message_id: str | None = None,
) -> None:
    """Keep what was done with a task, and tell its holder's stream and its people's.

    `row` is the task as it is now; by nobody means by the bus itself.
    """
    values = {
        "task_id": row.id,
        "at_ms": tx.now_ms,
        "kind": what,
        "status": row.status,
        "by_id": None if by is None else by.id,
        "text": text,
        "run_id": run_id,
        "message_id": message_id,
    }
    queries.insert_history(tx.conn, values)
    data = {
        "to_agent": row.holder,
        "id": row.id,
        "what": what,
        "status": row.status,
        "by": SYSTEM if by is None else by.name,
        "at": tx.now_text,
    }
    concerns = Concerns(participant_id=row.holder_id, compartment=row.compartment)
    append(tx, "task", data, concerns)


def set_and_reread(tx: Transaction, task_id: str, **values: object) -> Row:
    """Set columns of a task; gives it as it is now."""
    queries.update(tx.conn, task_id, values)
    row = queries.find(tx.conn, task_id)
    if row is None:
        raise NotFoundError
    return row


def write_note(  # noqa: PLR0913 - whose, of what, and what belongs to it
    tx: Transaction,
    row: Row,
    text: str,
    by: Participant | None,
    *,
    run_id: str | None = None,
    message_id: str | None = None,
) -> None:
    """Write on a task; its holder's word, or a run of its holder's, refreshes the claim."""
    if by is not None and by.id == row.holder_id and row.status == IN_PROGRESS:
        queries.update(tx.conn, row.id, {"refreshed_ms": tx.now_ms})
    write_history(tx, row, NOTED, by, text, run_id=run_id, message_id=message_id)
