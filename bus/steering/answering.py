"""Answering: by a person who may, once; of two devices one wins, and the other hears who did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.errors import ApprovalOverError, ForbiddenError
from bus.steering import ending, rules, showing
from bus.steering.model import ANSWERED, OPEN

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.store.transaction import Transaction


def answer(
    tx: Transaction, principal: Principal, approval_id: str, word: str, note: str
) -> dict[str, Any]:
    """Answer what was asked. The same again, by the same person, changes nothing."""
    row = showing.find(tx.conn, principal, approval_id)
    check_may_answer(tx, principal, row)
    word = rules.read_answer(word, json.loads(row.options))
    known = (row.state, row.answered_by_id, row.answer)
    if known == (ANSWERED, principal.participant_id, word):
        return showing.show_whole(tx.conn, principal, row) | {"already": True}
    ending.check_still_open(row)
    if row.expires_ms <= tx.now_ms:
        raise ApprovalOverError(f"too late for {row.id}: its time is over", state=OPEN)
    row = ending.end(tx, row, ending.End(ANSWERED, word, note, by=principal))
    return showing.show_whole(tx.conn, principal, row) | {"already": False}


def check_may_answer(tx: Transaction, principal: Principal, row: Any) -> None:
    """Refuse who may not answer: whoever asked, an agent, a person who was not asked."""
    if showing.may_answer(tx.conn, principal, row):
        return
    if principal.kind != "person":
        raise ForbiddenError(f"{row.id} is for a person to answer")
    if principal.participant_id == row.asker_id:
        raise ForbiddenError(f"{row.id} is your own: another person in the session answers it")
    names = ", ".join(showing.names_of(tx.conn, row))
    raise ForbiddenError(f"{row.id} was asked of {names}, and of nobody else")
