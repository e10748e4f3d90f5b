"""Writing a message and its copies, whoever it is from: a sender, an answer, the bus itself."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bus.clock import to_text
from bus.directory import service as directory
from bus.mail import queries
from bus.mail.model import SYSTEM, URGENT
from bus.mail.moves import Copy, create

if TYPE_CHECKING:
    from bus.directory.model import Participant
    from bus.mail.model import Draft
    from bus.mail.threads import Context
    from bus.store.transaction import Transaction


class Sent(NamedTuple):
    """A message that was written; its copies follow."""

    id: str
    draft: Draft
    sender_id: int | None
    sender: str
    reply_key: str | None = None


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
            "path": write_path(context.path),
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
    sender = SYSTEM if sender_id is None else context.path[-1]
    return Sent(message_id, draft, sender_id, sender, reply_key)


@lru_cache(maxsize=256)
def write_path(path: tuple[str, ...]) -> str:
    """Write by whom a thread came here; the messages of a list share it."""
    return json.dumps(path)


def deliver(tx: Transaction, sent: Sent, recipient: Participant, held: str) -> dict[str, str]:
    """Make one recipient's copy: held with its reason, or deliverable at once."""
    draft = sent.draft
    if not held and draft.deliver_ms is not None and draft.deliver_ms > tx.now_ms:
        held = f"scheduled for {to_text(draft.deliver_ms)}"
    quiet_ms = None
    if not held and recipient.quiet is not None:
        quiet_ms = directory.kept_until(
            tx.conn,
            recipient.quiet,
            tx.now_ms,
            sender_id=sent.sender_id,
            is_urgent=draft.priority == URGENT,
        )
        held = "" if quiet_ms is None else directory.why_kept(recipient.quiet, quiet_ms)
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
        reply_key=sent.reply_key,
    )
    times = {"deliver_ms": draft.deliver_ms, "expires_ms": draft.expires_ms, "quiet_ms": quiet_ms}
    create(tx, copy, times)
    why = held or directory.why_paused(recipient)
    return {"to": recipient.name, "state": copy.state} | ({"reason": why} if why else {})
