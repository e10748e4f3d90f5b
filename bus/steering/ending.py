"""How an approval ends, once: its state, its entry, and the word to whoever asked, all together.

The asker's wake is asked in the same transaction, by mail's own way; so nothing can fall between.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import ApprovalOverError
from bus.mail import service as mail
from bus.mail.model import APPROVAL, SYSTEM
from bus.sessions import service as sessions
from bus.sessions.model import CLOSED, NOTE
from bus.steering import queries, showing, telling
from bus.steering.model import ANSWERED, EXPIRED, OPEN, WITHDRAWN

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

MARK_CHARS = 8


@dataclass(frozen=True)
class End:
    """What an approval has come to; `by` is the person who answered, and nobody else."""

    state: str
    answer: str | None = None
    note: str = ""
    reason: str = ""
    by: Principal | None = None
    by_id: int | None = None
    """Whose doing it is, who need not be told."""
    wakes: bool = True


def topic_of(approval_id: str) -> str:
    """Name the topic of those who wait for an approval."""
    return f"approval {approval_id}"


def end(tx: Transaction, row: Row, how: End) -> Row:
    """End an approval: it is final, its entry says so, and its asker is told."""
    by_id = how.by.participant_id if how.by is not None else None
    values = {
        "state": how.state,
        "answer": how.answer,
        "answered_by_id": by_id,
        "note": how.note,
        "reason": how.reason,
        "due_ms": None,
        "ended_ms": tx.now_ms,
    }
    queries.update(tx.conn, row.id, values)
    now = queries.at(tx.conn, row.id)
    session = sessions.get(tx.conn, row.session_id)
    data = showing.show_ended(now, showing.names_of(tx.conn, now))
    sessions.change_entry(tx, session, row.entry_id, data=data)
    if session.state != CLOSED:
        note(tx, session, now, how)
    if how.state != WITHDRAWN:
        tell_asker(tx, session, now, how)
    tx.look_again(topic_of(row.id))
    tx.record("approval_ended", approval=row.id, state=how.state, answer=how.answer or "")
    return now


def note(tx: Transaction, session: Row, row: Row, how: End) -> None:
    """Note the end where the talk is now: its entry may lie far back."""
    data = {
        "what": "approval",
        "by": row.answered_by or SYSTEM,
        "who": [row.asker],
        "approval_id": row.id,
        "state": row.state,
    }
    word = sessions.Word(
        NOTE, telling.write_line(row), data, in_reply_to=row.entry_id, trust="system"
    )
    whose = how.by_id if how.by is None else how.by.participant_id
    sessions.write_entry(tx, session, None, word, by_id=whose)


def tell_asker(tx: Transaction, session: Row, row: Row, how: End) -> None:
    """Tell an agent what came of what it asked; a worker looks itself, a person sees the entry."""
    asker = directory.get(tx.conn, row.asker_id)
    if asker.removed or asker.kind != "named":
        return
    mark = tx.ids.secret(MARK_CHARS)
    said = mail.Said(
        how.by,
        session.id,
        session.thread,
        row.place,
        telling.write(row, mark),
        type=APPROVAL,
        subject=f"{row.title}: {row.answer or row.state}",
    )
    mail.tell_asker(tx, said, asker, wake=how.wakes)


def check_still_open(row: Row) -> None:
    """Refuse what comes too late, and say what was before."""
    if row.state == OPEN:
        return
    if row.state == ANSWERED:
        what = f"{row.answered_by} has answered {row.answer} at {to_text(row.ended_ms)}"
    else:
        what = f"it is {row.state}: {row.reason}"
    raise ApprovalOverError(
        f"too late for {row.id}: {what}",
        state=row.state,
        answer=row.answer,
        answered_by=row.answered_by,
        ended_at=to_text(row.ended_ms),
    )


def expire(tx: Transaction, row: Row) -> Row:
    """End what nobody answered in time, as its asker chose; no person said so."""
    options = json.loads(row.options)
    answer = row.on_expiry if row.on_expiry in options else None
    reason = f"nobody answered by {to_text(row.expires_ms)}"
    return end(tx, row, End(EXPIRED, answer, reason=reason))
