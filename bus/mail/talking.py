"""What is said in a session, as mail to those agents that are to be woken by it; and back.

One fact, one place: the session has what was said, and an agent's answer to such a message is said
there, too. This module knows threads and inboxes, not sessions: those it asks by hooks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bus.errors import BusError, ConflictError, InvalidRequestError
from bus.guard import service as guard
from bus.mail import inbox_queries, queries
from bus.mail.carrying import come_so_far
from bus.mail.model import APPROVAL, ENTRY_KEY, SYSTEM, Draft, Talk
from bus.mail.moves import end
from bus.mail.recipients import Request, check_room
from bus.mail.rules import read_entry_key, session_of
from bus.mail.threads import (
    Context,
    choose_parent,
    hear_person,
    hold_of,
    is_input,
    release_thread,
)
from bus.mail.writing import deliver, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.mail.model import Item
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

SESSION = "SESSION"
"""The type of what tells an agent that something was said."""
MOST_HELD = 20
"""So much of one session is held for one agent; whatever else was said it reads there."""


@dataclass(frozen=True)
class Said:
    """What was said, by whom (None: the bus) and where: a session's id and thread, and a place."""

    principal: Principal | None
    session: str
    thread: str
    place: int
    body: str
    priority: int = 2
    type: str = SESSION
    subject: str = ""

    @property
    def sender_id(self) -> int | None:
        """Give whose word it is, or None of the bus."""
        return None if self.principal is None else self.principal.participant_id

    def key(self, agent: Participant) -> str:
        """Give the key by which a message to an agent is known as one that tells of a session."""
        return f"{ENTRY_KEY}{self.session} {self.place} {agent.id}"


@dataclass(frozen=True)
class Hearer:
    """An agent that is told, and whether an answer of it is awaited."""

    agent: Participant
    is_asked: bool


def tell_entry(tx: Transaction, said: Said, hearers: Sequence[Hearer]) -> list[dict[str, Any]]:
    """Write to each agent that is to hear of it; says what became of each."""
    context = hear(tx, said, [one.agent for one in hearers])
    return [tell_one(tx, said, context, one) for one in hearers]


def tell_asker(tx: Transaction, said: Said, agent: Participant, *, wake: bool) -> None:
    """Give an agent what it had asked for; as any first answer it has room, and is not held."""
    context = hear(tx, said, [agent])
    draft = Draft(
        to=(agent.name,),
        body=said.body,
        type=said.type,
        subject=said.subject,
        priority=said.priority,
        reply_expected=False,
        wake=wake,
    )
    write_told(tx, said, context, agent, draft, "")


def hear(tx: Transaction, said: Said, agents: list[Participant]) -> Context:
    """Find where in the talk something is said; a person's word lets go what is held there."""
    context = find_context(tx, said, {one.name for one in agents})
    if said.principal is not None:
        hear_person(tx, said.principal, context, agents)
    return context


def tell_one(tx: Transaction, said: Said, context: Context, hearer: Hearer) -> dict[str, Any]:
    """Write to one agent. A full inbox takes nothing: what was said can be read all the same."""
    agent = hearer.agent
    try:
        check_room(tx, agent)
    except BusError as error:
        return {"to": agent.name, "state": "refused", "reason": error.detail}
    if is_enough_held(tx, said.thread, agent.id):
        reason = "its messages of this session are held by the guard: it reads what it missed"
        return {"to": agent.name, "state": "refused", "reason": reason}
    draft = Draft(
        to=(agent.name,),
        body=said.body,
        type=said.type,
        priority=said.priority,
        reply_expected=hearer.is_asked,
    )
    held = hold_of(tx, context, said.sender_id or 0, agent)
    return write_told(tx, said, context, agent, draft, held)


def write_told(  # noqa: PLR0913, PLR0917 - what is said, where, to whom and how
    tx: Transaction, said: Said, context: Context, agent: Participant, draft: Draft, held: str
) -> dict[str, Any]:
    """Write a message by whose key an answer is known to belong into the session."""
    trust = "system" if said.principal is None else said.principal.trust
    sent = write_message(
        tx, draft, context, sender_id=said.sender_id, trust=trust, reply_key=said.key(agent)
    )
    delivered = deliver(tx, sent, agent, held)
    if delivered["state"] == "queued":
        tx.announce("mail_queued", participant_id=agent.id)
    return {**delivered, "id": sent.id}


def is_enough_held(tx: Transaction, thread: str, participant_id: int) -> bool:
    """Say whether no more of a thread needs to be held for somebody."""
    if not guard.is_held(tx.conn, thread):
        return False
    held = [row for row in queries.held_in(tx.conn, thread) if row.recipient_id == participant_id]
    return len(held) >= MOST_HELD


def find_context(tx: Transaction, said: Said, names: set[str]) -> Context:
    """Find how far the talk has come: by what its author is at work on.

    A person's word begins it anew, and lets go what the guard holds of the session.
    """
    me, thread = said.principal, said.thread
    if me is None:
        return Context(thread, guard.start_of(tx.conn, thread), (SYSTEM,))
    if me.kind == "person":
        if queries.last_in(tx.conn, thread) is not None:
            release_thread(tx, thread)
            guard.hear_person(tx, thread)
        return Context(thread, 0, (me.name,), is_new=True)
    request = Request(tx, me)
    leased, settled = request.find_leased(), request.find_settled()
    here = [row for row in leased if row.thread == thread]
    parent = choose_parent(here or leased, settled, {me.name, *names})
    if parent is None:
        return Context(thread, guard.start_of(tx.conn, thread), (me.name,))
    so_far = 0 if is_input(parent) else come_so_far(tx, parent)
    path = (*json.loads(parent.path), me.name)[-guard.PATH :]
    return Context(thread, guard.start_of(tx.conn, thread) + so_far + 1, path)


def why_not_said(tx: Transaction, principal: Principal, row: Row, draft: Draft) -> str:
    """Say why an answer to what a session told cannot be said there, or nothing."""
    if not draft.body.strip():
        return "there is nothing in it to be said"
    why: str | None = tx.ask(
        "why_not_said", principal=principal, session_id=session_of(row.reply_key)
    )
    return why or ""


def find_told(tx: Transaction, principal: Principal, message_id: str | None) -> Row | None:
    """Find what somebody was told of a session, or told, where a message answers that."""
    if not message_id:
        return None
    me, rows = principal.participant_id, queries.of_message(tx.conn, message_id)
    mine = (row for row in rows if me in {row.sender_id, row.recipient_id})
    return next((row for row in mine if session_of(row.reply_key)), None)


def say_back(
    tx: Transaction, principal: Principal, row: Row, draft: Draft, key: str | None
) -> dict[str, Any]:
    """Say an answer in the session of what it answers. Under the same key it is said once."""
    if draft.deliver_ms is not None or draft.expires_ms is not None:
        raise InvalidRequestError("what is said in a session is said now: no time can be given")
    answer: dict[str, Any] | None = tx.ask(
        "say_in_session",
        principal=principal,
        answered=read_entry_key(row.reply_key),
        body=draft.body,
        to=draft.to,
        key=key,
    )
    if answer is None:
        raise ConflictError("this bus has no sessions")
    if row.recipient_id == principal.participant_id:
        queries.update_delivery(tx.conn, row.id, {"replied_ms": tx.now_ms})
    return {"status": "accepted", **answer}


def note_said(tx: Transaction, principal: Principal, thread: str) -> None:
    """Take what an agent has leased of a session as answered by its word there.

    So a program's output is not said a second time.
    """
    for row in inbox_queries.leased(tx.conn, principal.participant_id or 0):
        if row.thread == thread and row.replied_ms is None and session_of(row.reply_key):
            queries.update_delivery(tx.conn, row.id, {"replied_ms": tx.now_ms})


def find_talks(
    conn: sa.Connection, hooks: Hooks, principal: Principal, items: Sequence[Item]
) -> list[Item]:
    """Say of each item that tells of a session which one that is, as its reader sees it now."""
    keys = {item.row.message_id: read_entry_key(item.row.reply_key) for item in items}
    ids = {key.session for key in keys.values() if key is not None}
    known: dict[str, tuple[str, int]] = {}
    for call in hooks.called("describe_sessions") if ids else ():
        known |= call(conn, principal, ids)
    found = []
    for item in items:
        key = keys[item.row.message_id]
        if key is None:
            found.append(item)
        else:
            title, unread = known.get(key.session, (None, 0))
            found.append(replace(item, talk=Talk(key.session, key.place, title, unread)))
    return found


def is_asked(conn: sa.Connection, participant_id: int, thread: str) -> bool:
    """Say whether an agent was told of a session what it has not settled."""
    return any(
        row.thread == thread and session_of(row.reply_key)
        for row in inbox_queries.open_of(conn, participant_id)
    )


def take_back_unread(
    tx: Transaction, principal: Principal, thread: str, participant_id: int, reason: str
) -> int:
    """Cancel what an agent was told of a session and has not read; gives how many that was.

    A person takes back whatever was said, an agent its own words. Nobody is written to of it:
    whoever takes it back says so in the session.
    """
    own = None if principal.kind == "person" else principal.participant_id
    rows = [
        row for row in unread_of(tx.conn, thread, participant_id) if own in {None, row.sender_id}
    ]
    for row in rows:
        end(tx, row, "cancelled", reason, is_told=False)
    return len(rows)


def forget_unread(tx: Transaction, thread: str, participant_id: int, reason: str) -> None:
    """Cancel what somebody was told of a session and has not read, who is in it no more.

    What came of their own requests stays: it is theirs.
    """
    for row in unread_of(tx.conn, thread, participant_id):
        if row.type != APPROVAL:
            end(tx, row, "cancelled", reason, is_told=False)


def unread_of(conn: sa.Connection, thread: str, participant_id: int) -> list[Row]:
    """List what somebody was told of a session and has not read."""
    return [
        row
        for row in inbox_queries.open_of(conn, participant_id)
        if row.thread == thread and row.state != "read" and session_of(row.reply_key)
    ]
