"""Sending: from drafts to deliveries on disk, all or none, and once for a repeated key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.errors import BatchTooLargeError, KeyReusedError
from bus.mail import queries
from bus.mail.recipients import Request, check_share, find_recipients
from bus.mail.talking import find_told, say_back
from bus.mail.threads import find_context, hear_person, hold_of
from bus.mail.writing import deliver, write_message

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.mail.model import Draft
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Key:
    """An Idempotency-Key with what it is kept for and a hash of the whole request."""

    principal: str
    route: str
    key: str
    request_hash: str


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
    told = find_told(tx, principal, draft.in_reply_to)
    if told is not None:
        return say_back(tx, principal, told, draft, None)
    recipients, unreachable = find_recipients(request, draft)
    context = find_context(request, draft, recipients)
    sent = write_message(
        tx, draft, context, sender_id=principal.participant_id, trust=principal.trust
    )
    hear_person(tx, principal, context, recipients)
    deliveries = []
    for recipient in recipients:
        held = hold_of(tx, context, principal.participant_id or 0, recipient)
        delivered = deliver(tx, sent, recipient, held)
        if delivered["state"] == "queued":
            request.queued[recipient.id] = recipient.kind
        deliveries.append(delivered)
    if any(one["state"] == "held" for one in deliveries):
        check_share(tx, principal)
    answer = {"id": sent.id, "thread": context.thread, "deliveries": deliveries}
    return answer | ({"unreachable": unreachable} if unreachable else {})
