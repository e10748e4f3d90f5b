"""Which thread a message is in, how far that has come, and whether it is held."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.errors import NotFoundError
from bus.guard import service as guard
from bus.mail import queries
from bus.mail.moves import make_deliverable, move
from bus.mail.tracing import sees_thread

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.mail.model import Draft
    from bus.mail.recipients import Request
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Context:
    """What a message inherits: its thread, how far that has come, and by whom."""

    thread: str
    hops: int
    path: tuple[str, ...]
    is_new: bool = False
    """The thread begins here and shares nothing with another: no guard can hold it."""


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


def hold_of(tx: Transaction, context: Context, pair: tuple[int, int]) -> str:
    """Give why a thread is held. One that begins now is not, and nobody was there to talk to."""
    return "" if context.is_new else guard.check(tx, context.thread, context.hops, pair)


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
