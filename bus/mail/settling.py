"""Settling leased items by their handles: ack, release, extend, reply. Results are per handle."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import EndedError, FencedError, NoReplyAddressError, UnknownHandleError
from bus.mail import queries
from bus.mail.moves import end, move, requeue
from bus.mail.recipients import Request, check_room
from bus.mail.rules import read_handle, refuse_worker, session_of
from bus.mail.talking import say_back, why_not_said
from bus.mail.threads import Context, find_context, hear_person, hold_of
from bus.mail.writing import deliver, write_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.access.model import Principal
    from bus.mail.model import Draft, Handle
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

Result = dict[str, Any]


def judge(row: Row, handle: Handle) -> str:
    """Say what a handle is worth: `good`, `already`, `fenced` or `ended`."""
    if row.state == "acked":
        return "already"
    if row.ended_ms is not None:
        return "ended"
    return "good" if handle.attempt == row.attempt else "fenced"


def each(
    tx: Transaction,
    principal: Principal,
    handles: list[str],
    do: Callable[[Row], Result],
) -> list[Result]:
    """Do something with each good handle; the others say what became of them."""
    results = []
    for text in handles:
        try:
            handle = read_handle(text)
        except UnknownHandleError:
            results.append({"handle": text[:80], "result": "unknown"})
            continue
        row = queries.of_recipient(tx.conn, handle.message_id, principal.participant_id or 0)
        if row is None or not 0 < handle.attempt <= row.attempt:
            results.append({"handle": text, "result": "unknown"})
            continue
        worth = judge(row, handle)
        result = do(row) if worth == "good" else {"result": worth, "state": row.state}
        results.append({"handle": text, **result})
    return results


def ack(tx: Transaction, principal: Principal, handles: list[str]) -> list[Result]:
    """End items as done. A late ack counts unless the item was leased again since."""
    results = each(tx, principal, handles, lambda row: ack_row(tx, row))
    if any(one["result"] == "acked" for one in results):
        # Once for all: what is on lease is nothing that a wake would be for.
        tx.announce("mail_settled", participant_id=principal.participant_id)
    return results


def ack_row(tx: Transaction, row: Row) -> Result:
    """Ack one delivery; the wakes hear of it from whoever calls."""
    move(tx, row, "acked", lease_until_ms=None)
    tx.announce("mail_acked", row=row)
    return {"result": "acked"}


def release(
    tx: Transaction, principal: Principal, handles: list[str], mode: str, reason: str
) -> list[Result]:
    """Give items back: `silent` undoes the attempt, `fail` counts it.

    `fatal` ends them dead (it could not be done), `refuse` refused (their reader will not).
    """

    def do(row: Row) -> Result:
        if row.state != "read":
            return {"result": "already", "state": row.state}
        if mode == "refuse":
            return {"result": end(tx, row, "refused", reason or "refused by its reader")}
        if mode == "fatal":
            return {"result": end(tx, row, "dead", reason or "given up by its reader")}
        state = requeue(tx, row, reason or f"released ({mode})", counted=mode == "fail")
        return {"result": "dead" if state == "dead" else "released"}

    return each(tx, principal, handles, do)


def extend(tx: Transaction, principal: Principal, handles: list[str], lease_s: int) -> list[Result]:
    """Lengthen leases: from now, by `lease_s` seconds."""

    def do(row: Row) -> Result:
        if row.state != "read":
            return {"result": "fenced", "state": row.state}
        until = tx.now_ms + lease_s * 1000
        queries.update_delivery(tx.conn, row.id, {"lease_until_ms": until, "due_ms": until})
        tx.remind(until)
        tx.announce("mail_extended", participant_id=row.recipient_id)
        return {"result": "extended", "lease_until": to_text(until)}

    return each(tx, principal, handles, do)


def reply(  # noqa: PLR0913 - the answer, and what goes with it
    tx: Transaction,
    principal: Principal,
    text: str,
    draft: Draft,
    *,
    acks: bool,
    unless_replied: bool,
) -> dict[str, Any]:
    """Answer an item; with its ack both commit together. The same body again is one reply.

    What was cancelled while it was read can be answered, and needs no ack any more.
    """
    handle = read_handle(text)
    row = queries.of_recipient(tx.conn, handle.message_id, principal.participant_id or 0)
    if row is None or not 0 < handle.attempt <= row.attempt:
        raise UnknownHandleError
    if row.sender_id is None and not session_of(row.reply_key):
        raise NoReplyAddressError
    is_withdrawn = row.state == "cancelled"
    if acks and not is_withdrawn:
        check_ack(row, handle)
    acks = acks and not is_withdrawn
    acked = acks and row.state != "acked"
    answer: dict[str, Any] = {"acked": acks}
    if is_withdrawn:
        answer |= {"note": f"the item was {row.reason}; your answer was sent all the same"}
    if unless_replied and row.replied_ms is not None:
        answer |= {"status": "skipped", "reason": "it has replied itself"}
    elif acks and (why := why_unsent(tx, principal, row, draft)):
        answer |= {"status": "skipped", "reason": why}
    else:
        answer |= send_reply(tx, principal, row, draft)
    if acked:
        ack_row(tx, queries.one(tx.conn, row.id))
        tx.announce("mail_settled", participant_id=row.recipient_id)
    return answer


def check_ack(row: Row, handle: Handle) -> None:
    """Refuse a reply whose ack could not count, so that nothing of it happens."""
    worth = judge(row, handle)
    if worth == "fenced":
        raise FencedError(
            f"the item has been leased again as {row.message_id}.{row.attempt}; read your inbox"
        )
    if worth == "ended":
        raise EndedError(f"the item is {row.state}: {row.reason}")


def why_unsent(tx: Transaction, principal: Principal, row: Row, draft: Draft) -> str:
    """Say why an answer that carries an ack goes nowhere, so that the ack alone counts; or not."""
    if session_of(row.reply_key):
        return why_not_said(tx, principal, row, draft)
    is_there = can_reach(tx, principal, row.sender_id)
    return "" if is_there else f"{row.from_name} can no longer be reached"


def can_reach(tx: Transaction, principal: Principal, participant_id: int) -> bool:
    """Say whether the sender of an item is still there, and in a compartment of its reader."""
    sender = directory.get(tx.conn, participant_id)
    return not sender.removed and directory.sees(principal, sender)


def send_reply(tx: Transaction, principal: Principal, row: Row, draft: Draft) -> dict[str, Any]:
    """Write the reply and deliver it to the sender; of what a session tells, it is said there."""
    body_hash = hashlib.sha256(draft.body.encode()).hexdigest()
    key = f"{row.message_id} {principal.participant_id} {body_hash}"
    if session_of(row.reply_key):
        return say_back(tx, principal, row, draft, key)
    known = queries.by_reply_key(tx.conn, key)
    if known:
        return {"status": "accepted", "id": known, "deduplicated": True}
    if not can_reach(tx, principal, row.sender_id):
        raise NoReplyAddressError(f"{row.from_name} can no longer be reached; ack is enough")
    sender = directory.get(tx.conn, row.sender_id)
    if sender.kind == "worker" and not row.reply_expected:
        raise refuse_worker(sender.name)  # its run is over: nobody would read it
    if row.replied_ms is not None:
        # The first answer to what it sent always has room; any further one is mail like any.
        check_room(tx, sender)
    draft = replace(draft, to=(sender.name,), in_reply_to=row.message_id)
    context: Context = find_context(Request(tx, principal), draft, [sender])
    sent = write_message(
        tx,
        draft,
        context,
        sender_id=principal.participant_id,
        trust=principal.trust,
        reply_key=key,
    )
    hear_person(tx, principal, context, [sender])
    held = hold_of(tx, context, principal.participant_id or 0, sender)
    delivered = deliver(tx, sent, sender, held)
    if delivered["state"] == "queued":
        tx.announce("mail_queued", participant_id=sender.id)
    queries.update_delivery(tx.conn, row.id, {"replied_ms": tx.now_ms})
    return {
        "status": "accepted",
        "id": sent.id,
        "deduplicated": False,
        "deliveries": [delivered],
    }
