"""Sending: from a draft to deliveries on disk, with thread, hops and path kept by the bus."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import (
    BatchTooLargeError,
    BusError,
    InboxFullError,
    KeyReusedError,
    NotFoundError,
    TooManyRecipientsError,
    TypeNotTakenError,
    UnknownRecipientError,
)
from bus.guard import service as guard
from bus.mail import inbox_queries, queries
from bus.mail.moves import Copy, create, make_deliverable, move
from bus.mail.tracing import sees_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant, Recipients
    from bus.mail.model import Draft
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Key:
    """An Idempotency-Key with what it is kept for and a hash of the whole request."""

    principal: str
    route: str
    key: str
    request_hash: str


@dataclass
class Request:
    """One request to send: who asks, and what has been looked up for its messages so far."""

    tx: Transaction
    principal: Principal
    resolved: dict[str, Recipients] = field(default_factory=dict)
    leased: Sequence[Row] | None = None
    queued: dict[int, None] = field(default_factory=dict)
    """Whom a wake must be asked for, in their order."""

    def resolve(self, address: str) -> Recipients:
        """Find who an address stands for, once."""
        found = self.resolved.get(address)
        if found is None:
            found = self.resolved[address] = directory.resolve(
                self.tx.conn, self.principal, address
            )
        return found

    def find_leased(self) -> Sequence[Row]:
        """Find what the sender is at work on: mail of others that it has leased."""
        if self.leased is None:
            rows = inbox_queries.leased(self.tx.conn, self.principal.participant_id or 0)
            self.leased = [row for row in rows if row.sender_id is not None]
        return self.leased

    def check_room(self, recipient: Participant) -> None:
        """Refuse what would not fit into an inbox; counted only where it may be full by now."""
        tx = self.tx
        if tx.allowances.get(recipient.id, 0) < 1:
            there = inbox_queries.count_readable(tx.conn, recipient.id)
            check_room(tx, recipient, there)
            tx.allowances[recipient.id] = tx.config.max_inbox - there

    def ask_for_wakes(self) -> None:
        """Have those who got mail be woken, once each."""
        for participant_id in self.queued:
            self.tx.announce("mail_queued", participant_id=participant_id)


@dataclass(frozen=True)
class Context:
    """What a message inherits: its thread, how far that has come, and by whom."""

    thread: str
    hops: int
    path: tuple[str, ...]
    is_new: bool = False
    """The thread begins here and shares nothing with another: no guard can hold it."""


@dataclass(frozen=True)
class Sent:
    """A message that was written; its copies follow."""

    id: str
    draft: Draft
    sender_id: int | None
    sender: str


def hash_request(text: bytes) -> str:
    """Give the fingerprint by which a repeated request is known."""
    return hashlib.sha256(text).hexdigest()


def send(
    tx: Transaction, principal: Principal, drafts: list[Draft], *, batch: bool, key: Key | None
) -> dict[str, Any]:
    """Accept messages, all or none; a repeated key gives the first answer again."""
    kept = replay(tx.conn, key)
    if kept is not None:
        return kept
    sent: list[dict[str, Any]] = []
    request, together = Request(tx, principal), 0
    for draft in drafts:
        sent.append(send_one(request, draft))
        together += len(sent[-1]["deliveries"])
        if together > tx.config.max_together:
            raise BatchTooLargeError(
                f"more than {tx.config.max_together} deliveries in one request; send several"
            )
    request.ask_for_wakes()
    answer: dict[str, Any] = {"status": "accepted", "deduplicated": False}
    answer |= {"messages": sent} if batch else sent[0]
    if key:
        queries.keep_key(
            tx.conn, {**vars(key), "status": 202, "answer": answer, "created_ms": tx.now_ms}
        )
    return answer


def replay(conn: sa.Connection, key: Key | None) -> dict[str, Any] | None:
    """Find the answer that a key had, refusing the key for another request."""
    if key is None:
        return None
    kept = queries.find_key(conn, key.principal, key.route, key.key)
    if kept is None:
        return None
    if kept.request_hash != key.request_hash:
        raise KeyReusedError
    return {**json.loads(kept.answer), "deduplicated": True}


def send_one(request: Request, draft: Draft) -> dict[str, Any]:
    """Accept one message for all its recipients."""
    tx, principal = request.tx, request.principal
    recipients, unreachable = find_recipients(request, draft)
    context = find_context(request, draft, recipients)
    sent = write_message(
        tx, draft, context, sender_id=principal.participant_id, trust=principal.trust
    )
    if not context.is_new:
        release_by_person(tx, principal, context.thread)
    deliveries = []
    for recipient in recipients:
        held = hold_of(tx, context, (principal.participant_id or 0, recipient.id))
        delivered = deliver(tx, sent, recipient, held)
        if delivered["state"] == "queued":
            request.queued[recipient.id] = None
        deliveries.append(delivered)
    if any(one["state"] == "held" for one in deliveries):
        check_share(tx, principal)
    answer = {"id": sent.id, "thread": context.thread, "deliveries": deliveries}
    return answer | ({"unreachable": unreachable} if unreachable else {})


def hold_of(tx: Transaction, context: Context, pair: tuple[int, int]) -> str:
    """Give why a thread is held. One that begins now is not, and nobody was there to talk to."""
    return "" if context.is_new else guard.check(tx, context.thread, context.hops, pair)


def find_recipients(
    request: Request, draft: Draft
) -> tuple[list[Participant], list[dict[str, str]]]:
    """Look every address up: a list is all or nothing, a group tells who cannot be reached."""
    found: dict[int, Participant] = {}
    unreachable: list[dict[str, str]] = []
    wrong: list[BusError] = []
    for address in draft.to:
        try:
            resolved = request.resolve(address)
        except UnknownRecipientError as error:
            wrong.append(error)
            continue
        for member in resolved.participants:
            try:
                check_recipient(request, member, draft)
            except BusError as error:
                if resolved.kind != "group":
                    wrong.append(error)
                else:
                    what = {"to": member.name, "code": error.code, "detail": error.detail}
                    unreachable.append(what)
            else:
                found[member.id] = member
    if wrong:
        first = wrong[0]
        raise type(first)(
            "; ".join(error.detail for error in wrong),
            retry_after_s=first.retry_after_s,
            **first.more,
        )
    if not found:
        raise UnknownRecipientError("nobody in this group can be reached", unreachable=unreachable)
    most = request.tx.config.max_recipients
    if len(found) > most:
        raise TooManyRecipientsError(f"this group is {len(found)} recipients; at most {most}")
    return list(found.values()), unreachable


def check_recipient(request: Request, recipient: Participant, draft: Draft) -> None:
    """Refuse a type that the recipient does not take, and a full inbox."""
    takes, tx = recipient.accepts, request.tx
    if takes is not None and draft.type not in takes and not is_answer(tx, draft, recipient):
        raise TypeNotTakenError(
            f"{recipient.name} does not take {draft.type}; it takes {', '.join(takes)}"
        )
    request.check_room(recipient)


def is_answer(tx: Transaction, draft: Draft, recipient: Participant) -> bool:
    """Say whether a message answers one of its recipient's own."""
    rows = queries.of_message(tx.conn, draft.in_reply_to) if draft.in_reply_to else []
    return any(row.sender_id == recipient.id for row in rows)


def check_room(tx: Transaction, recipient: Participant, there: int) -> None:
    """Refuse what would not fit into an inbox that holds so much."""
    if there >= tx.config.max_inbox:
        raise InboxFullError(
            f"{recipient.name} has {tx.config.max_inbox} open messages; nothing was taken",
            retry_after_s=60,
        )


def check_share(tx: Transaction, principal: Principal) -> None:
    """Refuse to hold back more than an inbox holds; what is held is laid to its sender."""
    most = tx.config.max_inbox
    if queries.count_held(tx.conn, principal.participant_id or 0) > most:
        raise InboxFullError(
            f"{most} messages of {principal.name} are held already; nothing was taken",
            retry_after_s=60,
        )


def find_context(request: Request, draft: Draft, recipients: list[Participant]) -> Context:
    """Find what the message inherits: from what it answers, or from what its sender has leased."""
    tx, principal = request.tx, request.principal
    me = principal.participant_id or 0
    parent, to = None, {recipient.id for recipient in recipients}
    if draft.in_reply_to:
        rows = queries.of_message(tx.conn, draft.in_reply_to)
        there = [row for row in rows if row.seq is not None or row.sender_id == me]
        mine = [row for row in there if me in {row.recipient_id, row.sender_id}]
        if not mine:
            raise NotFoundError(f"'in_reply_to': no message {draft.in_reply_to[:40]!r} of yours")
        parent = mine[0]
    elif principal.kind != "person":
        # Mail from the one now written to is the likeliest parent; else the longest chain counts.
        parent = max(
            request.find_leased(), key=lambda row: (row.sender_id in to, row.hops), default=None
        )
    if parent is None:
        return Context(tx.ids.new("t", tx.now_ms), 0, (principal.name,), is_new=True)
    path = (*json.loads(parent.path), principal.name)[-64:]
    if not draft.in_reply_to and parent.sender_id not in to:
        # A word to a third one: the chain goes on, in a thread that its reader may know.
        thread = tx.ids.new("t", tx.now_ms)
        guard.inherit(tx, parent.thread, thread)
        return Context(thread, parent.hops + 1, path)
    hops = 0 if principal.kind == "person" else parent.hops + 1
    return Context(parent.thread, hops, path)


def release_by_person(tx: Transaction, principal: Principal, thread: str) -> None:
    """Let a held thread go when a person writes in it."""
    if principal.kind == "person" and sees_thread(tx.conn, principal, thread):
        release_thread(tx, thread)


def release_thread(tx: Transaction, thread: str) -> int:
    """End a thread's hold and deliver what it held back; gives how many went."""
    if not guard.release(tx, thread, queries.most_hops(tx.conn, thread)):
        return 0
    held = [row for row in queries.held_in(tx.conn, thread) if row.reason.startswith("guard")]
    for row in held:
        if row.deliver_ms is not None and row.deliver_ms > tx.now_ms:
            # Released by the guard, and still not due.
            move(tx, row, "held", f"scheduled for {to_text(row.deliver_ms)}")
        else:
            make_deliverable(tx, row, "released by a person")
    return len(held)


def write_message(  # noqa: PLR0913 - who, what and in which thread
    tx: Transaction,
    draft: Draft,
    context: Context,
    *,
    sender_id: int | None,
    trust: str,
    reply_key: str | None = None,
) -> Sent:
    """Store a message itself."""
    message_id = tx.ids.new("m", tx.now_ms)
    queries.insert_message(
        tx.conn,
        {
            "id": message_id,
            "thread": context.thread,
            "hops": context.hops,
            "path": json.dumps(context.path),
            "sender_id": sender_id,
            "trust": trust,
            "type": draft.type,
            "subject": draft.subject,
            "body": draft.body,
            "in_reply_to": draft.in_reply_to,
            "priority": draft.priority,
            "reply_expected": int(draft.reply_expected),
            "wake": int(draft.wake),
            "reply_key": reply_key,
            "created_ms": tx.now_ms,
            "deliver_ms": draft.deliver_ms,
            "expires_ms": draft.expires_ms,
        },
    )
    tx.record(
        "message_accepted",
        message=message_id,
        thread=context.thread,
        hops=context.hops,
        sender=context.path[-1],
        to=",".join(draft.to),
        type=draft.type,
        bytes=len(draft.body.encode()),
        answers=draft.in_reply_to or "",
    )
    return Sent(message_id, draft, sender_id, context.path[-1])


def deliver(tx: Transaction, sent: Sent, recipient: Participant, held: str) -> dict[str, str]:
    """Make one recipient's copy: held with its reason, or deliverable at once."""
    draft = sent.draft
    if not held and draft.deliver_ms is not None and draft.deliver_ms > tx.now_ms:
        held = f"scheduled for {to_text(draft.deliver_ms)}"
    copy = Copy(
        message_id=sent.id,
        sender_id=sent.sender_id,
        from_name=sent.sender,
        recipient_id=recipient.id,
        to_name=recipient.name,
        type=draft.type,
        priority=draft.priority,
        wakes=int(draft.wake and recipient.kind == "named"),
        state="held" if held else "queued",
        reason=held,
    )
    create(tx, copy, {"deliver_ms": draft.deliver_ms, "expires_ms": draft.expires_ms})
    why = held or directory.why_paused(recipient)
    return {"to": recipient.name, "state": copy.state} | ({"reason": why} if why else {})
