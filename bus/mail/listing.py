"""Lists of messages for who looks for one: the newest that a reader may see, and a thread's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.mail import listing_queries as queries
from bus.mail.briefing import sight_of
from bus.mail.model import SYSTEM
from bus.mail.rules import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row

SCAN = 2000
"""Deliveries looked at for one page at most: who sees few of them gets short pages, and goes on."""

LOOKED_AT = 50
"""Of a thread that is only to be named, the newest so many."""


@dataclass(frozen=True)
class Wanted:
    """Which messages: from or to somebody, or a thread's; below an id; at most so many."""

    who: str | None = None
    thread: str | None = None
    below: str = ""
    limit: int = 50


def list_messages(conn: sa.Connection, principal: Principal, wanted: Wanted) -> dict[str, Any]:
    """List messages that a reader may see, newest first, and below which one to go on.

    Raises:
        NotFoundError: there is nobody of that name that it can see.
    """
    who = directory.find_visible(conn, principal, wanted.who).id if wanted.who else None
    rows: Sequence[Row]
    if wanted.thread:
        rows = queries.of_thread(conn, wanted.thread, SCAN)
    else:
        rows = queries.below(conn, wanted.below, SCAN)
    sees, me = sight_of(conn, principal), principal.participant_id
    mine = (
        row
        for row in rows
        if who in {None, row.sender_id, row.recipient_id} and sees(row) and is_told(row, me)
    )
    shown = gather(mine, wanted.limit + 1)
    if len(shown) > wanted.limit:
        return {"messages": shown[:-1], "next": shown[-2]["id"]}
    is_cut = len(rows) == SCAN and not wanted.thread
    return {"messages": shown, "next": rows[-1].message_id if is_cut else None}


def name_threads(
    conn: sa.Connection, principal: Principal, threads: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Show of some threads the newest message with a subject, or else the newest, to know them by.

    Of those that the reader may see.
    """
    sees, me = sight_of(conn, principal), principal.participant_id
    found = {}
    for thread in threads:
        rows = queries.of_thread(conn, thread, LOOKED_AT)
        mine = gather((row for row in rows if sees(row) and is_told(row, me)), LOOKED_AT)
        if mine:
            found[thread] = next((one for one in mine if one["subject"]), mine[0])
    return found


def is_told(row: Row, me: int | None) -> bool:
    """Say whether a message may be told of to others than its two ends: of a session none is."""
    return not session_of(row.reply_key) or me in {row.sender_id, row.recipient_id}


def gather(rows: Iterable[Row], most: int) -> list[dict[str, Any]]:
    """Put the deliveries of each message together, up to so many messages."""
    found: list[dict[str, Any]] = []
    for _, several in groupby(rows, key=lambda row: row.message_id):
        if len(found) == most:
            break
        found.append(show(sorted(several, key=lambda row: str(row.to_name))))
    return found


def show(rows: Sequence[Row]) -> dict[str, Any]:
    """Show a message as a line of a list, with each of its deliveries."""
    first = rows[0]
    return {
        "id": first.message_id,
        "from": first.from_name or SYSTEM,
        "type": first.type,
        "subject": first.subject,
        "thread": first.thread,
        "in_reply_to": first.in_reply_to,
        "sent_at": to_text(first.created_ms),
        "deliveries": [
            {"to": row.to_name, "state": row.state, "reason": row.reason} for row in rows
        ],
    }
