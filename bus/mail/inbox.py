"""Reading an inbox: leases and handles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.mail import inbox_queries, queries
from bus.mail.inbox_queries import Only
from bus.mail.model import Item
from bus.mail.moves import end, move
from bus.mail.rules import session_of, shown_attempt

if TYPE_CHECKING:
    from bus.mail.model import Turn
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Ask:
    """How much a reader wants: items at most, bytes of bodies at most, or one message only."""

    limit: int = 20
    max_bytes: int = 65_536
    only: str | None = None


@dataclass(frozen=True)
class Page:
    """What a reader gets: leased items, and how many more wait."""

    items: list[Item]
    more: int


def read_inbox(tx: Transaction, participant_id: int, ask: Ask) -> Page:
    """Lease and give what is deliverable and not acked, urgent first, then oldest.

    An item that is leased already is shown again under the same handle, so that a lost answer
    costs nothing; in another turn, or after its lease, it gets a new one and the old is fenced.
    """
    turn: Turn | None = tx.ask("current_turn", participant_id=participant_id)
    session = None if turn is None else turn.session
    # What is said in this turn is heard in its session: what others wrote comes in another.
    only = Only(message_id=ask.only, session=None if ask.only else session)
    items: list[Item] = []
    left, has_new = ask.max_bytes, False
    for row in inbox_queries.readable(tx.conn, participant_id, ask.limit, only):
        body = cut(row.body, left)
        if items and len(body) < len(row.body):
            break
        leased = lease(tx, row, None if turn is None else turn.wake_id)
        if leased is None:
            continue
        has_new = has_new or leased.attempt != row.attempt
        left -= len(body.encode())
        truncated = len(body) < len(row.body)
        shown = session is not None and session_of(row.reply_key) == session
        until = leased.lease_until_ms
        items.append(Item(leased, leased.attempt, until, body, truncated, is_shown=shown))
    inbox_queries.touch_reader(tx.conn, participant_id, tx.now_ms, has_new=has_new)
    if items:
        tx.announce("mail_read", participant_id=participant_id)
    return Page(items, inbox_queries.count_readable(tx.conn, participant_id, only) - len(items))


def cut(body: str, max_bytes: int) -> str:
    """Give the beginning of a text that fits, never half a character."""
    return body.encode()[: max(max_bytes, 0)].decode(errors="ignore")


def lease(tx: Transaction, row: Row, turn: str | None) -> Row | None:
    """Lease one item to its reader, or None where that was one attempt too many."""
    until = tx.now_ms + tx.config.lease_s * 1000
    if row.state == "read" and row.lease_until_ms > tx.now_ms and same_turn(row, turn):
        # From now on this turn answers for what was leased outside of any.
        mine = row.lease_wake or turn
        changes = {"lease_until_ms": until, "due_ms": until, "lease_wake": mine}
        queries.update_delivery(tx.conn, row.id, changes)
        return row._replace(**changes)
    failed = row.failed_attempts + (row.state == "read")
    if failed >= tx.config.max_attempts:
        reason = f"read {shown_attempt(row.attempt)} times and never acked"
        end(tx, row, "dead", reason, failed_attempts=failed)
        return None
    return move(
        tx,
        row,
        "read",
        "",
        wake_id=turn,
        attempt=row.attempt + 1,
        failed_attempts=failed,
        lease_until_ms=until,
        lease_wake=turn,
    )


def same_turn(row: Row, turn: str | None) -> bool:
    """Say whether an item was leased in the turn that now reads, as far as that is known."""
    return row.lease_wake is None or turn is None or row.lease_wake == turn
