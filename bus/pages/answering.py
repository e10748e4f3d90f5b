"""What a person does with a message of their own inbox: answer it, or say that it is done.

A page that is only looked at leases nothing. The handle that either needs is taken in the
transaction that uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.errors import EndedError, InvalidRequestError
from bus.mail import rules
from bus.mail import service as mail
from bus.mail.api import limits
from bus.mail.model import WAITING, Draft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.access.model import Principal
    from bus.store.transaction import Transaction

UNSETTLED = (*WAITING, "read")


def waits_for(principal: Principal, message: Mapping[str, Any]) -> bool:
    """Say whether a message is in the reader's own inbox, and not settled."""
    return any(
        one["to"] == principal.name and one["state"] in UNSETTLED for one in message["deliveries"]
    )


def settle(tx: Transaction, principal: Principal, message_id: str) -> str:
    """Ack the reader's own copy; gives the word of what was done."""
    mail.ack(tx, principal, [take(tx, principal, message_id)])
    return "done"


def read_answer(text: str) -> Draft:
    """Check what a form has as an answer.

    Raises:
        InvalidRequestError: it says nothing.
    """
    if not text.strip():
        raise InvalidRequestError("the answer is empty: write one, or choose Done")
    body = rules.read_body(text, limits())
    return Draft(to=(), body=body, type="REPLY", reply_expected=False)


def answer(tx: Transaction, principal: Principal, message_id: str, draft: Draft) -> str:
    """Answer the reader's own copy and ack it with that; gives the word of what was done."""
    handle = take(tx, principal, message_id)
    mail.reply(tx, principal, handle, draft, acks=True, unless_replied=False)
    return "answered"


def take(tx: Transaction, principal: Principal, message_id: str) -> str:
    """Take the handle of the reader's own copy.

    Raises:
        EndedError: it is not in the inbox any more.
    """
    ask = mail.Ask(limit=1, only=message_id)
    items = mail.read_inbox(tx, principal.participant_id or 0, ask).items
    if not items:
        raise EndedError("it is in your inbox no more: it was settled, or taken back")
    return items[0].handle
