"""Which thread a message is in, how far that has come, and whether it is held."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.errors import NotFoundError
from bus.guard import service as guard
from bus.guard.model import is_of_guard
from bus.mail import queries
from bus.mail.moves import make_deliverable, move
from bus.mail.rules import session_of
from bus.mail.tracing import sees_thread
from bus.store.schema import RESULT_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.mail.model import Draft
    from bus.mail.recipients import Request
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Context:
    """What a message inherits: its thread, how far that has come, and by whom."""

    thread: str
    hops: int
    path: tuple[str, ...]
    is_new: bool = False
    """The thread begins here and shares nothing with another."""
    start: guard.Start | None = None
    """From where the thread goes on, where it begins here and continues another's chain."""


def find_context(request: Request, draft: Draft, recipients: list[Participant]) -> Context:
    """Find what the message inherits: from what it answers, or from what its sender works on."""
    tx, principal = request.tx, request.principal
    parent, stays = find_parent(request, draft, recipients)
    if parent is None:
        return Context(tx.ids.new("t", tx.now_ms), 0, (principal.name,), is_new=True)
    path = (*json.loads(parent.path), principal.name)[-guard.PATH :]
    # A worker's result is new input: a chain is counted from it as from a person's word.
    hops = 0 if principal.kind == "person" else 1 if is_result(parent) else parent.hops + 1
    if stays:
        return Context(parent.thread, hops, path)
    thread = tx.ids.new("t", tx.now_ms)
    return Context(thread, hops, path, start=guard.go_on(tx, parent.thread, thread))


def find_parent(
    request: Request, draft: Draft, recipients: list[Participant]
) -> tuple[Row | None, bool]:
    """Find what a message comes of, and whether it stays in its thread.

    A word to a third one does not: its chain goes on, in a thread that its reader may know.
    """
    principal = request.principal
    if draft.in_reply_to:
        return find_answered(request, draft.in_reply_to), True
    if principal.kind == "person":
        return None, False
    leased, settled = request.find_leased(), request.find_settled()
    if not leased and not settled:
        return None, False
    to = {recipient.id for recipient in recipients}
    # Mail from the one now written to is the likeliest parent.
    # What is said in a session is said there: a word to one of it alone is another talk.
    own = [row for row in leased if row.sender_id in to and not session_of(row.reply_key)]
    if own:
        return max(own, key=hops_of), True
    names = {principal.name, *(recipient.name for recipient in recipients)}
    return choose_parent(leased, settled, names), False


def find_answered(request: Request, message_id: str) -> Row:
    """Find what a message says that it answers."""
    tx, me = request.tx, request.principal.participant_id or 0
    rows = queries.of_message(tx.conn, message_id)
    there = [row for row in rows if row.seq is not None or row.sender_id == me]
    mine = [row for row in there if me in {row.recipient_id, row.sender_id}]
    if not mine:
        raise NotFoundError(f"'in_reply_to': no message {message_id[:40]!r} of yours")
    return mine[0]


def choose_parent(leased: Sequence[Row], settled: Sequence[Row], names: set[str]) -> Row | None:
    """Choose what a fresh message comes of, of what its sender has leased or settled just now.

    What a person or a worker gave it last is a reason of its own. Else a chain that has been here
    before may be a ring: the longest of these. Else what is at hand: the longest chain on lease,
    the last that was settled.
    """
    if any(map(is_input, leased)):
        return max(leased, key=hops_of)
    if not leased and settled and is_input(settled[0]):
        return settled[0]
    rings = [row for row in (*leased, *settled) if names & set(json.loads(row.path)[:-1])]
    if rings:
        return max(rings, key=hops_of)
    return max(leased, key=hops_of, default=settled[0] if settled else None)


def hops_of(row: Row) -> int:
    return int(row.hops)


def is_input(row: Row) -> bool:
    """Say whether a message is new input: a person's word, or a worker's result."""
    return row.from_kind == "person" or is_result(row)


def is_result(row: Row) -> bool:
    """Say whether a message is what a worker gave back: the bus wrote it as its run ended.

    Not by its type, which any sender may claim.
    """
    return bool(row.reply_key and row.reply_key.startswith(RESULT_KEY))


def hold_of(
    tx: Transaction,
    context: Context,
    sender_id: int,
    recipient: Participant,
    *,
    is_result: bool = False,
) -> str:
    """Give why a message's thread is held, holding it where the guard says so.

    One that begins now cannot be, but where somebody writes to itself.
    """
    if context.is_new and sender_id != recipient.id:
        return ""
    message = guard.Message(
        context.thread,
        context.hops,
        context.path,
        sender_id,
        recipient.id,
        recipient.name,
        start=guard.Start() if context.is_new else context.start,
        is_result=is_result,
    )
    return guard.check(tx, message)


def hear_person(
    tx: Transaction, principal: Principal, context: Context, recipients: list[Participant]
) -> None:
    """Let go what is held where a person writes, and of whom it writes to; count anew."""
    if principal.kind != "person":
        return
    if not context.is_new and sees_thread(tx.conn, principal, context.thread):
        release_thread(tx, context.thread)
        guard.hear_person(tx, context.thread)
    for recipient in recipients:
        for thread in queries.threads_held_of(tx.conn, recipient.id):
            if sees_thread(tx.conn, principal, thread):
                release_thread(tx, thread)


def release_thread(tx: Transaction, thread: str) -> int:
    """End a thread's hold and deliver what it held back; gives how many went."""
    if not guard.release(tx, thread, queries.most_hops(tx.conn, thread)):
        return 0
    held = [row for row in queries.held_in(tx.conn, thread) if is_of_guard(row.reason)]
    for row in held:
        if row.deliver_ms is not None and row.deliver_ms > tx.now_ms:
            # Released by the guard, and still not due.
            move(tx, row, "held", f"scheduled for {to_text(row.deliver_ms)}")
        else:
            make_deliverable(tx, row, "released by a person")
    return len(held)
