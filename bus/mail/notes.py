"""What the bus itself writes: a failure is a message, a long wait a note, a held thread a word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bus.clock import MINUTE_MS
from bus.directory import service as directory
from bus.mail import inbox_queries, queries
from bus.mail.model import SYSTEM, Draft
from bus.mail.moves import end
from bus.mail.rules import quote
from bus.mail.threads import Context
from bus.mail.writing import deliver, write_message

if TYPE_CHECKING:
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

MOST_WARNED = 20


def tell_failure(tx: Transaction, row: Row) -> None:
    """Tell a sender that its message ended without an ack, and wake it."""
    body = (
        f"Your message {row.message_id} ({row.type}) to {row.to_name} is {row.state}. The reason"
        f" given, perhaps in another's words: {quote(row.reason)}. What happened: {where(tx, row)}"
    )
    write(tx, row, "FAILURE", body, wake=True)


def where(tx: Transaction, row: Row) -> str:
    """Write how a message's sender asks what became of it."""
    if row.sender_id is None or directory.get(tx.conn, row.sender_id).kind == "person":
        return f"bus trace {row.message_id}"
    return f"GET /api/messages/{row.message_id}"


def tell_delay(tx: Transaction, row: Row) -> None:
    """Tell a sender that its message still waits, without waking it."""
    reason = row.reason or directory.why_paused(directory.get(tx.conn, row.recipient_id))
    minutes = (tx.now_ms - (row.queued_ms or row.created_ms)) // MINUTE_MS
    when = "when a person lets its thread go" if row.state == "held" else "as soon as it can be"
    body = (
        f"Your message {row.message_id} ({row.type}) to {row.to_name} has waited {minutes} min"
        f" ({row.state}{': ' if reason else ''}{quote(reason) if reason else ''});"
        f" it is kept and will be delivered {when}."
    )
    write(tx, row, "DELAYED", body, wake=False)


def write(tx: Transaction, row: Row, kind: str, body: str, *, wake: bool) -> None:
    """Write to the sender of a delivery; what the bus itself wrote has no sender to tell."""
    if row.sender_id is None:
        return
    draft = Draft(
        to=(row.from_name,),
        body=body,
        type=kind,
        subject="",
        in_reply_to=row.message_id,
        reply_expected=False,
        wake=wake,
    )
    context = Context(row.thread, row.hops, (SYSTEM,))
    write_to(tx, draft, context, row.sender_id)


def write_to(
    tx: Transaction, draft: Draft, context: Context, participant_id: int, held: str = ""
) -> str:
    """Deliver what the bus wrote, also into a full inbox; unread it lasts as long as what ended.

    Gives its id, or an empty text where nobody is there any more.
    """
    recipient = directory.get(tx.conn, participant_id)
    if recipient.removed or recipient.kind == "worker":  # which has no inbox that anybody reads
        return ""
    if not held:
        make_room(tx, participant_id)
    draft = replace(draft, expires_ms=tx.now_ms + tx.config.retention_s * 1000)
    sent = write_message(tx, draft, context, sender_id=None, trust="system")
    deliver(tx, sent, recipient, held)
    if not held:
        tx.announce("mail_queued", participant_id=recipient.id)
    return sent.id


def tell(
    tx: Transaction, participant_id: int, kind: str, body: str, *, wake: bool, **more: Any
) -> str:
    """Tell somebody something of which no message was the beginning; `more` is as in a draft.

    Gives its id, or an empty text where nobody is there any more.
    """
    draft = Draft(to=(), body=body, type=kind, reply_expected=False, wake=wake, **more)
    context = Context(tx.ids.new("t", tx.now_ms), 0, (SYSTEM,))
    return write_to(tx, draft, context, participant_id)


def make_room(tx: Transaction, participant_id: int) -> None:
    """End the oldest unread notes of somebody who never reads: what is told has its end, too."""
    most = tx.config.max_inbox
    if inbox_queries.count_readable(tx.conn, participant_id) < most:
        return
    for row in inbox_queries.notes_beyond(tx.conn, participant_id, most - 1):
        end(tx, row, "expired", "it made room for newer notes of the bus")


def tell_people(tx: Transaction, thread: str, reason: str, pair: tuple[int, int]) -> None:
    """Tell every person who may see the pair that a thread is held, once; else its writer."""
    names = " and ".join(directory.get(tx.conn, who).name for who in dict.fromkeys(pair) if who)
    body = (
        f"Thread {thread} between {names} is held ({reason}). Let it go: bus release {thread}; "
        f"what is held: bus held"
    )
    tell_guarded(tx, body, pair)


def tell_agent_held(tx: Transaction, participant_id: int, reason: str) -> None:
    """Tell every person who may see an agent that it is not woken any more today."""
    name = directory.get(tx.conn, participant_id).name
    body = (
        f"{name} is not woken for now ({reason}). Its mail waits in its inbox. "
        f"Let it go: bus release {name}"
    )
    tell_guarded(tx, body, (participant_id,))


def tell_guarded(tx: Transaction, body: str, ends: tuple[int, ...]) -> None:
    """Tell of a stop those people who may see the ends; where there is none, the first of them."""
    people = directory.people_who_see(tx.conn, ends)
    for person in people or [directory.get(tx.conn, who) for who in ends[:1] if who]:
        tell(tx, person.id, "GUARD", body, wake=False)


def warn_thread(tx: Transaction, thread: str, reason: str, pair: tuple[int, int]) -> None:
    """Tell the agents of a thread that it comes near to what the guard lets pass."""
    body = (
        f"Thread {thread} is about to be held by the guard: {reason}. Beyond that a person must "
        "let it go. If nothing new is to be said, say nothing: an ack is enough."
    )
    warn(tx, body, [*dict.fromkeys((*pair, *queries.members(tx.conn, thread, MOST_WARNED)))])


def warn_agent(tx: Transaction, participant_id: int, reason: str) -> None:
    """Tell an agent that it is woken too often."""
    body = f"You are about to be held by the guard: {reason}. Beyond that nothing wakes you."
    warn(tx, body, [participant_id])


def warn(tx: Transaction, body: str, whom: list[int]) -> None:
    """Tell those of them who are agents, without waking them."""
    for who in whom:
        if who and directory.get(tx.conn, who).kind == "named":
            tell(tx, who, "WARNING", body, wake=False)


def on_removed(tx: Transaction, participant_id: int) -> None:
    """Hear that an agent or a person was removed: what was for it ends, and its senders know."""
    for row in inbox_queries.open_of(tx.conn, participant_id):
        end(tx, row, "dead", f"{row.to_name} was removed from the bus")


def on_failed(tx: Transaction, row: Row) -> None:
    """Hear that a delivery ended without an ack."""
    tell_failure(tx, queries.one(tx.conn, row.id))
