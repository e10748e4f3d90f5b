"""Hearing of what somebody is to be told, in the transaction in which it happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.mail import service as mail
from bus.mail.model import RESULT as RESULT_TYPE
from bus.mail.model import SYSTEM, URGENT
from bus.notices import queries
from bus.notices.model import (
    ALERT,
    APPROVAL,
    HELD,
    MESSAGE,
    NOTE,
    PREVIEWED,
    RESULT,
    SESSION,
    SHOWN,
)
from bus.sessions.model import APPROVAL as APPROVAL_ENTRY
from bus.sessions.model import NOTE as NOTE_ENTRY
from bus.sessions.model import RESULT as RESULT_ENTRY

if TYPE_CHECKING:
    from collections.abc import Collection

    from bus.store.statement import Row
    from bus.store.transaction import Transaction

OF_BUS = {"ALERT": ALERT, "GUARD": HELD}
"""Types of what the bus itself writes; from anybody else they are words."""
TOGETHER = 200
READ_MORE = 4
"""What is not shown of a body, a mark of direction for example, takes room, too."""
HIGH, USUAL = 1, 2


def on_mail_queued(tx: Transaction, participant_id: int, kind: str = "person") -> None:
    """Hear that somebody can read something; a person who has no target costs one look."""
    if kind != "person":
        return
    person = queries.person(tx.conn, participant_id)
    if person is None:
        return
    chars = PREVIEWED * READ_MORE if shows_previews(tx, participant_id) else 0
    rows = mail.news(tx.conn, participant_id, person.seq, chars=chars, limit=TOGETHER)
    # What quiet hours held has one place in the log, that of the brief which tells of all of it.
    told = {row.seq: row for row in reversed(rows)}
    for row in sorted(told.values(), key=lambda one: int(one.seq)):
        add(tx, participant_id, row.message_id, row.sender_id, facts_of_mail(row))
    if rows:
        changes = {"seq": rows[-1].seq, "due_ms": soon(tx, person)}
        queries.update_person(tx.conn, participant_id, changes)


def on_session_entry(
    tx: Transaction, session: Row, entry: Row, person_ids: Collection[int]
) -> None:
    """Hear of an entry of a session that these people are in."""
    author = None if entry.author_id is None else directory.get(tx.conn, entry.author_id)
    for participant_id in person_ids:
        person = queries.person(tx.conn, participant_id)
        if person is None or not concerns(tx, entry, participant_id):
            continue
        facts = facts_of_entry(session, entry, SYSTEM if author is None else author.name)
        facts["at"] = tx.now_text
        if shows_previews(tx, participant_id):
            facts["preview"] = shown(entry.body, PREVIEWED)
        about = f"{session.id} {facts['kind']}"
        add(tx, participant_id, about, entry.author_id, facts)
        queries.update_person(tx.conn, participant_id, {"due_ms": soon(tx, person)})


def concerns(tx: Transaction, entry: Row, participant_id: int) -> bool:
    """Say whether somebody is to be told of an entry: not of their own, nor of who comes and goes.

    Of what was done with themselves they are: of being invited, above all.
    """
    if entry.kind != NOTE_ENTRY:
        return bool(entry.author_id != participant_id)
    return directory.get(tx.conn, participant_id).name in json.loads(entry.data).get("who", ())


def facts_of_mail(row: Row) -> dict[str, Any]:
    """Write down what a notice may say of a message."""
    kind = MESSAGE
    if row.sender_id is None:
        kind = OF_BUS.get(row.type, NOTE)
    elif row.from_kind == "worker" and row.type == RESULT_TYPE:
        kind = RESULT
    return {
        "kind": kind,
        "from": row.from_name or SYSTEM,
        "title": shown(row.subject, SHOWN),
        "path": f"/messages/{row.message_id}",
        "message_id": row.message_id,
        "priority": row.priority,
        "at": to_text(row.created_ms),
        **({"preview": shown(row.begin, PREVIEWED)} if row.begin else {}),
    }


def facts_of_entry(session: Row, entry: Row, author: str) -> dict[str, Any]:
    """Write down what a notice may say of an entry."""
    kind = {APPROVAL_ENTRY: APPROVAL, RESULT_ENTRY: RESULT}.get(entry.kind, SESSION)
    return {
        "kind": kind,
        "from": author,
        "title": shown(session.title, SHOWN),
        "path": f"/sessions/{session.id}",
        "session_id": session.id,
        "place": entry.place,
        "priority": HIGH if kind == APPROVAL else USUAL,
    }


def add(
    tx: Transaction, participant_id: int, about: str, sender_id: int | None, facts: dict[str, Any]
) -> None:
    """Keep one thing to be told; of the same session the newest, with how many there are."""
    before = queries.about(tx.conn, participant_id, about)
    text = json.dumps(facts)
    if before is not None:
        again = {"count": before.count + 1, "facts": text, "sender_id": sender_id, "seen_ms": None}
        queries.update_notice(tx.conn, before.id, again)
        return
    values = {"participant_id": participant_id, "about": about, "count": 1, "facts": text}
    queries.insert_notice(
        tx.conn, values | {"sender_id": sender_id, "created_ms": tx.now_ms, "seen_ms": None}
    )


def soon(tx: Transaction, person: Row) -> int:
    """Give when to look: after a moment in which somebody who is there may read it."""
    due = int(tx.now_ms + tx.config.notice_grace_s * 1000)
    due = due if person.due_ms is None else min(due, person.due_ms)
    tx.remind(due)
    return due


def shows_previews(tx: Transaction, participant_id: int) -> bool:
    """Say whether anywhere the begin of a text is shown to somebody."""
    return any(target.previews for target in queries.targets(tx.conn, participant_id))


def shown(text: str, most: int) -> str:
    """Cut another's words to one harmless line."""
    line = " ".join(mail.harmless(text).split())
    return f"{line[: most - 1]}…" if len(line) > most else line


def is_urgent(facts: dict[str, Any]) -> bool:
    """Say whether it may break quiet hours, as mail does."""
    return bool(facts["priority"] == URGENT)
