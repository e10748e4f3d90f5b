"""Asking people first: the request, as an entry of a session that all its devices show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    TooManyApprovalsError,
)
from bus.mail import service as mail
from bus.mail.rules import quote
from bus.runs import service as runs
from bus.sessions import service as sessions
from bus.sessions.model import APPROVAL
from bus.steering import ending, queries, showing
from bus.steering.model import MOST_OPEN, OPEN, WITHDRAWN

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.steering.model import Ask
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

Shown = dict[str, Any]


def ask(
    tx: Transaction, principal: Principal, session_id: str, asked: Ask, key: mail.Key | None
) -> Shown:
    """Ask in a session; a repeated key gives the first answer again."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    me = directory.get(tx.conn, principal.participant_id or 0)
    session = find_session(tx, principal, me, session_id, asked.run_id)
    answer = write(tx, principal, me, session, asked)
    mail.keep_answer(tx, key, answer, 201)
    return answer


def ask_person(
    tx: Transaction, principal: Principal, name: str, asked: Ask, key: mail.Key | None
) -> Shown:
    """Ask one person, in the open session of the two alone; where there is none it is made."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    me = directory.get(tx.conn, principal.participant_id or 0)
    found = directory.resolve(tx.conn, principal, name)
    person = found.participants[0]
    if found.kind != "one" or person.kind != "person" or person.id == me.id:
        raise InvalidRequestError(f"'to' names another person, and {name[:70]!r} is none")
    check_run(tx, principal, asked.run_id)
    session = sessions.between(tx.conn, me.id, person.id)
    if session is None:
        invited = [sessions.Invited(person.name)]
        made = sessions.create(tx, principal, f"{me.name} and {person.name}", invited, None)
        session = sessions.get(tx.conn, made["session_id"])
    answer = write(tx, principal, me, session, asked)
    mail.keep_answer(tx, key, answer, 201)
    return answer


def find_session(
    tx: Transaction, principal: Principal, me: Participant, session_id: str, run_id: str | None
) -> Row:
    """Find the session to ask in: one's own; of a worker that of the run it is at work on."""
    if me.kind != "worker":
        check_run(tx, principal, run_id)
        return sessions.find_open(tx.conn, principal, session_id)
    if run_id is None:
        raise InvalidRequestError("a worker asks for its run: give 'run_id'")
    run = runs.find(tx.conn, run_id)
    if run is None or run.worker_id != me.id or run.session_id != session_id:
        raise NotFoundError(f"no session {session_id[:40]!r} that your run {run_id[:40]!r} is in")
    if run.claimed_ms is None or run.ended_ms is not None:
        raise ConflictError(f"{run_id} is {run.state}: a worker asks while it does the run")
    session = sessions.get(tx.conn, session_id)
    sessions.check_open(session)
    return session


def check_run(tx: Transaction, principal: Principal, run_id: str | None) -> None:
    """Refuse to ask for a run that is not one's own, or over."""
    if run_id is None:
        return
    run = runs.find(tx.conn, run_id)
    me = principal.participant_id
    if run is None or me not in {run.parent_id, run.worker_id}:
        raise NotFoundError(f"'run_id': no run {run_id[:40]!r} of yours")
    if run.ended_ms is not None:
        raise ConflictError(f"'run_id': {run_id} is {run.state} already")


def write(
    tx: Transaction, principal: Principal, me: Participant, session: Row, asked: Ask
) -> Shown:
    """Keep a request and write its entry."""
    if len(queries.open_of(tx.conn, me.id)) >= MOST_OPEN:
        raise TooManyApprovalsError(
            f"{me.name} has {MOST_OPEN} open approvals; withdraw what is no longer needed: "
            "GET /api/approvals"
        )
    who = find_people(tx, me, session, asked.who)
    expires_ms = tx.now_ms + round(asked.expires_s * 1000)
    approval_id = tx.ids.new("q", tx.now_ms)
    values = {
        "id": approval_id,
        "session_number": session.number,
        "asker_id": me.id,
        "run_id": asked.run_id,
        "title": asked.title,
        "body": asked.body,
        "options": json.dumps(asked.options),
        "who": json.dumps([one.participant_id for one in who]),
        "on_expiry": asked.on_expiry,
        "state": OPEN,
        "created_ms": tx.now_ms,
        "expires_ms": expires_ms,
        "due_ms": expires_ms,
    }
    names = [one.name for one in who]
    text = asked.title + (f"\n\n{asked.body}" if asked.body.strip() else "")
    data = showing.show_open(approval_id, asked, names, expires_ms)
    word = sessions.Word(APPROVAL, text, data, trust=principal.trust)
    written = sessions.write_entry(tx, session, me.id, word)
    queries.insert_approval(tx.conn, values | {"entry_id": written.entry.id})
    tx.remind(expires_ms)
    tx.record("approval_asked", approval=approval_id, session=session.id, by=me.name)
    return {
        "approval_id": approval_id,
        "session_id": session.id,
        "entry_id": written.entry.id,
        "place": written.entry.place,
        "state": OPEN,
        "expires_at": data["expires_at"],
        "deduplicated": False,
    }


def find_people(
    tx: Transaction, me: Participant, session: Row, names: tuple[str, ...]
) -> list[Row]:
    """Find who may answer of those in a session; nobody named means anyone, and there is one."""
    there = sessions.members(tx.conn, session.number)
    people = {
        one.name: one for one in there if one.kind == "person" and one.participant_id != me.id
    }
    if not people:
        raise ConflictError(
            "there is no person in this session who could answer: POST "
            f"/api/sessions/{session.id}/participants takes one in"
        )
    wrong = [name for name in names if name not in people]
    if wrong:
        raise InvalidRequestError(
            f"'who': {wrong[0][:70]!r} is no person in this session who could answer; there are "
            f"{', '.join(people)}"
        )
    return [people[name] for name in names]


def withdraw(tx: Transaction, principal: Principal, approval_id: str, reason: str) -> Shown:
    """Take a request back that one has asked; once more is fine."""
    row = showing.find(tx.conn, principal, approval_id)
    if row.asker_id != principal.participant_id:
        raise ForbiddenError(f"{approval_id} is {row.asker}'s to withdraw")
    if row.state == WITHDRAWN:
        return showing.show_whole(tx.conn, principal, row) | {"already": True}
    ending.check_still_open(row)
    # In quotes: it stands in a note, which is the bus's own word.
    said = quote(mail.one_line(reason)) if reason else ""
    why = f"withdrawn by {row.asker}" + (f": {said}" if said else "")
    row = ending.end(tx, row, ending.End(WITHDRAWN, reason=why, by_id=row.asker_id))
    return showing.show_whole(tx.conn, principal, row) | {"already": False}
