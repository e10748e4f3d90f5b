"""To whom a message goes: who an address stands for, and who may be sent this now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.errors import (
    BusError,
    InboxFullError,
    TooManyRecipientsError,
    TypeNotTakenError,
    UnknownRecipientError,
)
from bus.mail import inbox_queries, queries
from bus.mail.rules import refuse_worker
from bus.store.schema import BEGUN_BY_BUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.access.model import Principal
    from bus.directory.model import Participant, Recipients
    from bus.mail.model import Draft
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

SETTLED = 10
"""So many of what a sender has just settled are looked at for what it now writes."""


@dataclass
class Request:
    """One request to send: who asks, and what has been looked up for its messages so far."""

    tx: Transaction
    principal: Principal
    resolved: dict[str, Recipients] = field(default_factory=dict)
    leased: Sequence[Row] | None = None
    settled: Sequence[Row] | None = None
    queued: dict[int, str] = field(default_factory=dict)
    """Whom a wake must be asked for, in their order, and what kind of participant each is."""

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
            self.leased = [row for row in rows if row.path != BEGUN_BY_BUS]
        return self.leased

    def find_settled(self) -> Sequence[Row]:
        """Find what the sender has just been at work on: the last of others that it settled."""
        if self.settled is None:
            tx, me = self.tx, self.principal.participant_id or 0
            since_ms = tx.now_ms - tx.config.guard_memory_s * 1000
            self.settled = inbox_queries.settled(tx.conn, me, since_ms, SETTLED)
        return self.settled

    def ask_for_wakes(self) -> None:
        """Have those who got mail be woken, once each."""
        for participant_id, kind in self.queued.items():
            self.tx.announce("mail_queued", participant_id=participant_id, kind=kind)


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
    """Refuse what a worker is only answered, a type that is not taken, and a full inbox."""
    takes, tx = recipient.accepts, request.tx
    if recipient.kind == "worker" and not is_answer(tx, draft, recipient):
        raise refuse_worker(recipient.name)
    if takes is not None and draft.type not in takes and not is_answer(tx, draft, recipient):
        raise TypeNotTakenError(
            f"{recipient.name} does not take {draft.type}; it takes {', '.join(takes)}"
        )
    check_room(tx, recipient)


def is_answer(tx: Transaction, draft: Draft, recipient: Participant) -> bool:
    """Say whether a message answers one of its recipient's own."""
    rows = queries.of_message(tx.conn, draft.in_reply_to) if draft.in_reply_to else []
    return any(row.sender_id == recipient.id for row in rows)


def check_room(tx: Transaction, recipient: Participant) -> None:
    """Refuse what would not fit into an inbox; counted only where it may be full by now."""
    if tx.allowances.get(recipient.id, 0) >= 1:
        return
    most, there = tx.config.max_inbox, inbox_queries.count_readable(tx.conn, recipient.id)
    if there >= most:
        raise InboxFullError(
            f"{recipient.name} has {most} open messages; nothing was taken", retry_after_s=60
        )
    tx.allowances[recipient.id] = most - there


def check_share(tx: Transaction, principal: Principal) -> None:
    """Refuse to hold back more than an inbox holds; what is held is laid to its sender."""
    most = tx.config.max_inbox
    if queries.count_held(tx.conn, principal.participant_id or 0) > most:
        raise InboxFullError(
            f"{most} messages of {principal.name} are held already; nothing was taken",
            retry_after_s=60,
        )
