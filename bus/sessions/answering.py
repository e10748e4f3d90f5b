"""What mail brings back: an agent's answer to what a session told it is said in the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.errors import NotFoundError
from bus.mail.rules import read_entry_key
from bus.sessions import finding, queries, rules
from bus.sessions.model import CLOSED, MESSAGE, Word
from bus.sessions.writing import Written, write_entry

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.mail.model import EntryKey
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def why_not_said(tx: Transaction, principal: Principal, session_id: str) -> str:
    """Say why somebody cannot say anything in a session, or nothing."""
    try:
        session = finding.find(tx.conn, principal, session_id)
    except NotFoundError:
        return f"{principal.name} is no longer in session {session_id}"
    return f"session {session_id} is closed" if session.state == CLOSED else ""


def say_in_session(  # noqa: PLR0913, PLR0917 - who, where, what, to whom
    tx: Transaction,
    principal: Principal,
    answered: EntryKey,
    body: str,
    to: tuple[str, ...],
    key: str | None,
) -> dict[str, Any]:
    """Say an answer, once for each key; what is answered was read."""
    session = finding.find(tx.conn, principal, answered.session)
    known = None if key is None else queries.by_reply_key(tx.conn, key)
    if known is not None:
        return show_written(session, Written(known, []), deduplicated=True)
    rules.check_body(body, tx.config.max_body_bytes)
    read_along(tx, session, principal.participant_id or 0, answered.place)
    word = Word(MESSAGE, body, to=to, trust=principal.trust, reply_key=key)
    written = write_entry(tx, session, principal.participant_id, word)
    return show_written(session, written, deduplicated=False)


def show_written(session: Row, written: Written, *, deduplicated: bool) -> dict[str, Any]:
    """Show what was said, as the answer to a message and to an entry alike."""
    return {
        "id": written.entry.id,
        "thread": session.thread,
        "session_id": session.id,
        "entry_id": written.entry.id,
        "place": written.entry.place,
        "deliveries": written.deliveries,
        "deduplicated": deduplicated,
    }


def on_acked(tx: Transaction, row: Row) -> None:
    """Hear that an agent is done with what it was told: so it has read that entry."""
    key = read_entry_key(row.reply_key)
    session = None if key is None else queries.find(tx.conn, key.session)
    if key is not None and session is not None:
        read_along(tx, session, row.recipient_id, key.place)


def read_along(tx: Transaction, session: Row, participant_id: int, place: int) -> None:
    """Move a cursor on to an entry that was read, where nothing before it was unread.

    What was missed between stays unread.
    """
    member = finding.find_member(tx.conn, session, participant_id)
    if member is not None and member.cursor == place - 1:
        queries.move_cursor(tx.conn, session.number, participant_id, place)
